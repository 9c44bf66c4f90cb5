// Asks before a camera is removed.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Modal } from "../dialog/modal.tsx";
import { ApiFailure, removeCamera, type SetUpCamera } from "./api.ts";

interface RemoveDialogProps {
  camera: SetUpCamera;
  onDone: (news: string) => void;
  onClose: () => void;
}

export function RemoveDialog({ camera, onDone, onClose }: RemoveDialogProps): JSX.Element {
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);
  const title = camera.name || camera.id;
  const remove = (): void => {
    if (busy) return;
    setBusy(true);
    removeCamera(camera.id).then(
      () => onDone(`${title} was removed.`),
      (error: unknown) => {
        setBusy(false);
        setFailure(error instanceof ApiFailure ? error.message : "It did not work.");
      },
    );
  };
  return (
    <Modal title={`Remove ${title}?`} testId="setup-remove-dialog" closing="Keep it" onClose={onClose}>
      <p>
        {camera.source === undefined
          ? "It published by itself and is offline. framecast forgets its last pictures; it is listed again as soon as it publishes."
          : "framecast forgets its address and password, and nobody can watch it any more. The camera itself is not changed."}
      </p>
      {failure !== "" && (
        <p class="setup-failure" role="alert">
          {failure}
        </p>
      )}
      <p class="setup-buttons">
        <button class="button" data-kind="danger" type="button" aria-disabled={busy} data-testid="setup-remove-yes" onClick={remove}>
          Remove {title}
        </button>
      </p>
    </Modal>
  );
}
