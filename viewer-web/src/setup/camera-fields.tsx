// The fields of the form of one camera.

import type { JSX } from "preact";
import type { SourceKind } from "../listing.ts";
import type { Preset } from "./api.ts";
import { Entry, Line } from "./entry.tsx";
import { isEncrypted, presetOf, withHost, withPreset, type Form, type FormErrors } from "./form.ts";

interface CameraFieldsProps {
  form: Form;
  errors: FormErrors;
  presets: readonly Preset[];
  isNew: boolean;
  /** The server keeps one. */
  hasPassword: boolean;
  onChange: (form: Form) => void;
}

const KINDS: Record<SourceKind, string> = { rtsp: "RTSP: nearly all IP cameras", mjpeg: "MJPEG over HTTP", push: "It publishes by itself" };
/** The choice for an address that is given whole. */
const WHOLE = "whole";
const OTHER = "other";

export function CameraFields({ form, errors, presets, isNew, hasPassword, onChange }: CameraFieldsProps): JSX.Element {
  const set = (some: Partial<Form>): void => onChange({ ...form, ...some });
  const pulled = form.kind !== "push";
  return (
    <>
      <div class="setup-pair">
        <Line label="Name" field="name" prose hint="For people, such as Front door." value={form.name} error={errors.name} onValue={(name) => set({ name })} />
        {isNew ? (
          <Line label="Id" field="id" hint="For addresses and programs; it stays." value={form.id} error={errors.id} onValue={(id) => set({ id })} />
        ) : (
          <Line label="Location" field="location" prose hint="Where it hangs." value={form.location} error={errors.location} onValue={(location) => set({ location })} />
        )}
      </div>
      <Entry label="How it is reached" field="kind" error={errors.kind}>
        {(control) => (
          <select {...control} value={form.kind} onChange={({ currentTarget }) => set({ kind: currentTarget.value as SourceKind })}>
            {Object.entries(KINDS).map(([kind, words]) => (
              <option key={kind} value={kind}>
                {words}
              </option>
            ))}
          </select>
        )}
      </Entry>
      {form.kind === "rtsp" && <Address form={form} errors={errors} presets={presets} onChange={onChange} />}
      {form.kind === "mjpeg" && <Line label="Address" field="url" placeholder="http://192.168.1.64/video.mjpg" value={form.url} error={errors.url} onValue={(url) => set({ url })} />}
      {isEncrypted(form) && (
        <Line
          label="Fingerprint of the camera's certificate"
          field="fingerprint"
          placeholder="AB:CD:…"
          hint="For a certificate that the camera has signed by itself. Test tells the fingerprint; compare it with the camera's."
          value={form.fingerprint}
          error={errors.fingerprint}
          onValue={(fingerprint) => set({ fingerprint })}
        />
      )}
      {pulled && (
        <div class="setup-pair">
          <Line label="User" field="username" hint="Empty where the camera asks for none." value={form.username} error={errors.username} onValue={(username) => set({ username })} />
          <Line
            label="Password"
            field="password"
            type="password"
            hint={hasPassword && !form.dropPassword ? "Kept, and never shown. Empty leaves it as it is." : "Kept encrypted, and never shown again."}
            value={form.password}
            error={errors.password}
            onValue={(password) => set({ password })}
          />
        </div>
      )}
      {pulled && hasPassword && <Check label="Forget the password that is kept" field="dropPassword" on={form.dropPassword} onChange={(dropPassword) => set({ dropPassword })} />}
      {pulled && <Further form={form} errors={errors} isNew={isNew} onChange={onChange} />}
    </>
  );
}

/** Of an RTSP camera: by its maker, or whole. */
function Address({ form, errors, presets, onChange }: Pick<CameraFieldsProps, "form" | "errors" | "presets" | "onChange">): JSX.Element {
  const set = (some: Partial<Form>): void => onChange({ ...form, ...some });
  const chosen = form.whole ? WHOLE : (presetOf(form, presets)?.id ?? OTHER);
  const choose = (id: string): void => {
    const preset = presets.find((each) => each.id === id);
    if (preset !== undefined) onChange(withPreset(form, preset));
    else set({ whole: id === WHOLE });
  };
  return (
    <>
      <Entry label="Make" field="preset" hint="Fills in where such cameras have their picture." error={undefined}>
        {(control) => (
          <select {...control} value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value)}>
            {presets.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
            <option value={OTHER}>Another path</option>
            <option value={WHOLE}>I have the whole address</option>
          </select>
        )}
      </Entry>
      {form.whole ? (
        <Line label="Address" field="url" placeholder="rtsp://192.168.1.64:554/stream1" value={form.url} error={errors.url} onValue={(url) => set({ url })} />
      ) : (
        <>
          <div class="setup-pair" data-wide="first">
            <Line label="Address in your network" field="host" placeholder="192.168.1.64" value={form.host} error={errors.host} onValue={(host) => onChange(withHost(form, host))} />
            <Line label="Port" field="port" type="number" value={form.port} error={errors.port} onValue={(port) => set({ port })} />
          </div>
          <Line label="Path" field="path" value={form.path} error={errors.path} onValue={(path) => set({ path })} />
        </>
      )}
    </>
  );
}

/** What rarely has to be changed. */
function Further({ form, errors, isNew, onChange }: Pick<CameraFieldsProps, "form" | "errors" | "isNew" | "onChange">): JSX.Element {
  const set = (some: Partial<Form>): void => onChange({ ...form, ...some });
  return (
    <details class="setup-further">
      <summary>More settings</summary>
      <Check label="Connect only while somebody watches" field="onDemand" on={form.onDemand} onChange={(onDemand) => set({ onDemand })} />
      {isNew && <Line label="Location" field="location" prose hint="Where it hangs." value={form.location} error={errors.location} onValue={(location) => set({ location })} />}
      <div class="setup-pair">
        <Line label="Most viewers at a time" field="maxViewers" type="number" hint="0 is no limit." value={form.maxViewers} error={errors.maxViewers} onValue={(maxViewers) => set({ maxViewers })} />
        <Line label="JPEGs a second" field="jpegFps" type="number" hint="For viewers that take no video." value={form.jpegFps} error={errors.jpegFps} onValue={(jpegFps) => set({ jpegFps })} />
      </div>
      {form.kind === "rtsp" && (
        <Entry label="Video comes over" field="transport" hint="TCP gets through nearly everywhere." error={errors.transport}>
          {(control) => (
            <select {...control} value={form.transport} onChange={({ currentTarget }) => set({ transport: currentTarget.value === "udp" ? "udp" : "tcp" })}>
              <option value="tcp">TCP</option>
              <option value="udp">UDP</option>
            </select>
          )}
        </Entry>
      )}
      <Line label="Address of a smaller picture" field="substream" hint="The camera's second stream, if it has one." value={form.substream} error={errors.substream} onValue={(substream) => set({ substream })} />
    </details>
  );
}

function Check({ label, field, on, onChange }: { label: string; field: string; on: boolean; onChange: (on: boolean) => void }): JSX.Element {
  return (
    <label class="setup-check">
      <input type="checkbox" checked={on} data-field={field} onChange={({ currentTarget }) => onChange(currentTarget.checked)} />
      {label}
    </label>
  );
}
