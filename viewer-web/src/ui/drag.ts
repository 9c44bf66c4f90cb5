// Moving a tile to another place with mouse, pen or finger: dragged by its handle, dropped on another tile.

/**
 * The handle's part: call on `pointerdown`. `onOver` hears of the camera under the pointer, `undefined` where there
 * is none or only the dragged one; `onDrop` of the one it was let go on.
 */
export function drag(event: PointerEvent, id: string, onOver: (target: string | undefined) => void, onDrop: (target: string | undefined) => void): void {
  if (event.button !== 0) return;
  // No selecting of text on the way.
  event.preventDefault();
  let over: string | undefined;
  const move = (at: PointerEvent): void => {
    if (at.pointerId !== event.pointerId) return;
    const under = document.elementFromPoint(at.clientX, at.clientY)?.closest<HTMLElement>("[data-camera]")?.dataset["camera"];
    const target = under === id ? undefined : under;
    if (target !== over) onOver(target);
    over = target;
  };
  const end = (at: PointerEvent): void => {
    if (at.pointerId !== event.pointerId) return;
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", end);
    window.removeEventListener("pointercancel", end);
    onOver(undefined);
    onDrop(at.type === "pointerup" ? over : undefined);
  };
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", end);
  window.addEventListener("pointercancel", end);
}
