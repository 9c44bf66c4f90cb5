// The form's fields: which camera, under which name, and what pictures are wanted. It holds nothing; every change
// goes to its parent.

import { CAMERA_ID_RULE, isCameraId } from "@framecast/shared/camera-id";
import type { JSX } from "preact";
import { findCamera, type CameraChoice, type CameraOffers } from "../media/camera.ts";
import { LEAST, MOST, type Options } from "../options.ts";
import { sizesFor } from "./sizes.ts";

interface FieldsProps {
  options: Options;
  onChange: (change: Partial<Options>) => void;
}

export function WhoFields({ options, busy, cameras, facing, onChange }: FieldsProps & { busy: boolean; cameras: readonly CameraChoice[]; facing: boolean }): JSX.Element {
  const { camera, name, device } = options;
  const sides = ["", "front", "back"];
  const found = sides.includes(device) ? undefined : findCamera(device, cameras);
  const valid = isCameraId(camera);
  return (
    <>
      <label class="field">
        <span>Camera</span>
        <select value={found?.deviceId ?? device} onChange={(event) => onChange({ device: event.currentTarget.value })} data-testid="device">
          <option value="">Any camera</option>
          {(facing || device === "front") && <option value="front">Front camera</option>}
          {(facing || device === "back") && <option value="back">Back camera</option>}
          {cameras.map((choice) => (
            <option key={choice.deviceId} value={choice.deviceId}>
              {choice.label}
            </option>
          ))}
          {!sides.includes(device) && found === undefined && <option value={device}>The one chosen before</option>}
        </select>
      </label>
      <div class="field-pair">
        <label class="field">
          <span>Camera id</span>
          <input
            value={camera}
            disabled={busy}
            aria-invalid={!valid}
            aria-describedby="camera-rule"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            maxLength={64}
            data-testid="camera-id"
            onInput={(event) => onChange({ camera: event.currentTarget.value.trim() })}
          />
        </label>
        <label class="field">
          <span>Name, if you like</span>
          <input
            value={name}
            disabled={busy}
            autocomplete="off"
            maxLength={100}
            placeholder="Front door"
            data-testid="camera-name"
            onInput={(event) => onChange({ name: event.currentTarget.value })}
          />
        </label>
      </div>
      <p class="hint" id="camera-rule" data-bad={!valid}>
        {CAMERA_ID_RULE}
      </p>
    </>
  );
}

export function PictureFields({ options, offers, onChange }: FieldsProps & { offers: CameraOffers | undefined }): JSX.Element {
  const { width, height, fps, quality, fixed } = options;
  const percent = Math.round(quality * 100);
  return (
    <>
      <label class="field">
        <span>Size, at most</span>
        <select
          value={`${width}x${height}`}
          data-testid="resolution"
          onChange={(event) => {
            const [wide, high] = event.currentTarget.value.split("x").map(Number);
            if (wide !== undefined && high !== undefined) onChange({ width: wide, height: high });
          }}
        >
          {sizesFor(options, offers).map((size) => (
            <option key={`${size.width}x${size.height}`} value={`${size.width}x${size.height}`}>
              {size.width} × {size.height}
            </option>
          ))}
        </select>
      </label>
      <Range label="Frames a second, at most" value={fps} text={`${Math.round(fps)} fps`} least={LEAST.fps} most={MOST.fps} testId="fps-wanted" onChange={(value) => onChange({ fps: value })} />
      <Range label="JPEG quality" value={percent} text={`${percent} %`} least={LEAST.quality * 100} most={100} testId="quality-wanted" onChange={(value) => onChange({ quality: value / 100 })} />
      <label class="check">
        <input type="checkbox" checked={fixed} data-testid="fixed" aria-describedby="fixed-hint" onChange={(event) => onChange({ fixed: event.currentTarget.checked })} />
        <span>Keep these fixed</span>
      </label>
      <p class="hint" id="fixed-hint">
        Otherwise quality, then size, then frame rate give way when the network or this device cannot keep up, and come back.
      </p>
    </>
  );
}

interface RangeProps {
  label: string;
  value: number;
  text: string;
  least: number;
  most: number;
  testId: string;
  onChange: (value: number) => void;
}

function Range({ label, value, text, least, most, testId, onChange }: RangeProps): JSX.Element {
  return (
    <label class="field range">
      <span>{label}</span>
      <output class="figure">{text}</output>
      <input type="range" min={least} max={most} step={1} value={value} aria-valuetext={text} data-testid={testId} onInput={(event) => onChange(Number(event.currentTarget.value))} />
    </label>
  );
}
