// Adds a camera or changes one, and tests whether the server gets a picture of it.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Modal } from "../dialog/modal.tsx";
import { addCamera, ApiFailure, changeCamera, listPresets, testSource, type Preset, type SetUpCamera } from "./api.ts";
import { CameraFields } from "./camera-fields.tsx";
import { bodyOf, check, checkSource, fieldOf, formOf, idFor, isEncrypted, NEW, testOf, type Form, type FormErrors } from "./form.ts";
import { describeFound } from "./words.ts";

interface CameraDialogProps {
  /** `undefined` adds one. */
  camera: SetUpCamera | undefined;
  /** Ids there are. */
  taken: readonly string[];
  onDone: (news: string) => void;
  onClose: () => void;
}

/** What the newest deed came to. */
type Outcome = { kind: "none" } | { kind: "testing" | "saving" } | { kind: "found" | "failed"; words: string; fingerprint?: string | undefined };

export function CameraDialog({ camera, taken, onDone, onClose }: CameraDialogProps): JSX.Element {
  const before = camera === undefined ? undefined : formOf(camera);
  const [form, setForm] = useState<Form>(before ?? NEW);
  const [ownId, setOwnId] = useState(camera !== undefined);
  const [errors, setErrors] = useState<FormErrors>({});
  const [outcome, setOutcome] = useState<Outcome>({ kind: "none" });
  const presets = usePresets();
  const element = useRef<HTMLFormElement>(null);
  /** Counts what was typed: a test tells of what it was begun with. */
  const version = useRef(0);
  const busy = outcome.kind === "testing" || outcome.kind === "saving";

  const change = (next: Form): void => {
    version.current += 1;
    // Until a person gives it an id, it has one made of its name.
    const named = ownId || next.id !== form.id ? next : { ...next, id: idFor(next.name, taken) };
    if (next.id !== form.id) setOwnId(true);
    setForm(named);
    // What was wrong with a field is about what it was.
    const changed = new Set((Object.keys(named) as (keyof Form)[]).filter((key) => named[key] !== form[key]));
    setErrors(Object.fromEntries(Object.entries(errors).filter(([field]) => !changed.has(field as keyof Form))));
    setOutcome({ kind: "none" });
  };
  const showErrors = (found: FormErrors): boolean => {
    setErrors(found);
    if (Object.keys(found).length === 0) return false;
    setOutcome({ kind: "none" });
    // Once they are drawn: the first of them is where to go on.
    requestAnimationFrame(() => {
      const first = element.current?.querySelector<HTMLElement>("[aria-invalid=true]");
      const folded = first?.closest("details");
      if (folded) folded.open = true;
      first?.focus();
    });
    return true;
  };
  const failed = (error: unknown): void => {
    const { code, message } = error instanceof ApiFailure ? error : { code: "", message: "It did not work." };
    const field = fieldOf(code, message, form);
    if (field === undefined) setOutcome({ kind: "failed", words: message });
    else showErrors({ [field]: message });
  };
  const describeFailure = (error: unknown): Outcome => {
    const failure = error instanceof ApiFailure ? error : undefined;
    // An address that redirects to an encrypted one has no field for it.
    return { kind: "failed", words: failure?.message ?? "It did not work.", fingerprint: isEncrypted(form) ? failure?.fingerprint : undefined };
  };
  const test = (): void => {
    if (busy || showErrors(checkSource(form))) return;
    setOutcome({ kind: "testing" });
    const tested = version.current;
    const tell = (outcome: Outcome): void => {
      if (tested === version.current) setOutcome(outcome);
    };
    testSource(testOf(form, camera !== undefined)).then((found) => tell({ kind: "found", words: describeFound(found) }), (error: unknown) => tell(describeFailure(error)));
  };
  const save = (event: Event): void => {
    event.preventDefault();
    if (busy || showErrors(check(form, camera === undefined))) return;
    setOutcome({ kind: "saving" });
    const title = form.name.trim() || form.id;
    const saved = camera === undefined ? addCamera(bodyOf(form, undefined)) : changeCamera(camera.id, bodyOf(form, before));
    saved.then(() => onDone(camera === undefined ? `${title} was added.` : `${title} was changed.`), failed);
  };

  return (
    <Modal title={camera === undefined ? "Add an IP camera" : `Edit ${camera.name || camera.id}`} testId="camera-dialog" closing="Cancel" onClose={onClose}>
      <form ref={element} class="setup-form" noValidate onSubmit={save}>
        <CameraFields form={form} errors={errors} presets={presets} isNew={camera === undefined} hasPassword={camera?.source?.hasPassword === true} onChange={change} />
        <div class="setup-foot">
          <p class="setup-outcome" role="status" data-kind={outcome.kind} data-testid="outcome">
            <Told outcome={outcome} onTrust={(fingerprint) => change({ ...form, fingerprint })} />
          </p>
          <p class="setup-buttons">
            {form.kind !== "push" && (
              <button class="button" type="button" aria-disabled={busy} data-testid="camera-test" onClick={test}>
                {outcome.kind === "testing" ? "Testing…" : "Test"}
              </button>
            )}
            <button class="button" data-kind="main" type="submit" aria-disabled={busy} data-testid="camera-save">
              {camera === undefined ? "Add" : "Save"}
            </button>
          </p>
        </div>
      </form>
    </Modal>
  );
}

function Told({ outcome, onTrust }: { outcome: Outcome; onTrust: (fingerprint: string) => void }): JSX.Element | null {
  switch (outcome.kind) {
    case "none":
      return null;
    case "testing":
      return <>Connecting to the camera. This takes up to ten seconds.</>;
    case "saving":
      return <>Saving.</>;
    case "found":
      return (
        <>
          <strong>It works:</strong> {outcome.words}
        </>
      );
    case "failed": {
      const { words, fingerprint } = outcome;
      if (fingerprint === undefined) return <>{words}</>;
      return (
        <>
          {words}{" "}
          <button class="button" type="button" data-testid="trust" onClick={() => onTrust(fingerprint)}>
            Trust this certificate
          </button>
        </>
      );
    }
  }
}

/** None until the server has told them, and none where it does not: the fields work without. */
function usePresets(): readonly Preset[] {
  const [presets, setPresets] = useState<readonly Preset[]>([]);
  useEffect(() => {
    let current = true;
    listPresets().then((found) => current && setPresets(found), () => undefined);
    return () => {
      current = false;
    };
  }, []);
  return presets;
}
