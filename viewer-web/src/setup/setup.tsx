// Setting cameras up: the list of all, how each is, and what can be done with it. Fetched when a person asks for it.

import "./setup.css";
import { useObservable } from "@framecast/shared/observable";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Wall } from "../wall.ts";
import type { SetUpCamera } from "./api.ts";
import { CameraDialog } from "./camera-dialog.tsx";
import { SetUpCameras } from "./cameras.ts";
import { RemoveDialog } from "./remove-dialog.tsx";
import { Row } from "./row.tsx";

type Open = { dialog: "add" } | { dialog: "edit" | "remove"; camera: SetUpCamera };

export default function Setup({ wall, capturePage }: { wall: Wall; capturePage: URL | undefined }): JSX.Element {
  const set = useMemo(() => new SetUpCameras(), []);
  const { cameras, statuses, manage, trouble } = useObservable(set.state);
  const [open, setOpen] = useState<Open>();
  useEffect(() => {
    set.start();
    return () => set.stop();
  }, [set]);
  const done = (news: string): void => {
    setOpen(undefined);
    wall.news.set(news);
    wall.setUpChanged();
    set.refresh().catch(() => undefined);
  };
  const close = (): void => setOpen(undefined);
  const taken = cameras?.map(({ id }) => id) ?? [];
  return (
    <section class="setup" data-testid="setup" data-manage={manage ?? ""} aria-labelledby="setup-title">
      <div class="setup-head">
        <h2 id="setup-title">Cameras</h2>
        <button class="button" data-kind="main" type="button" disabled={manage !== true} data-testid="setup-add" onClick={() => setOpen({ dialog: "add" })}>
          Add an IP camera
        </button>
      </div>
      {manage === false && <NotAllowed />}
      {trouble !== undefined && (
        <p class="setup-trouble" role="status" data-testid="setup-trouble">
          {trouble} This page keeps asking.
        </p>
      )}
      {cameras !== undefined && cameras.length === 0 && (
        <p class="setup-none" data-testid="setup-none">
          No camera is set up. Add one that speaks RTSP or MJPEG here; phones, browsers and programs appear by themselves when they publish
          {capturePage === undefined ? "." : <> on the <a href={capturePage.href} target="_blank" rel="noreferrer">capture page</a>.</>}
        </p>
      )}
      {cameras !== undefined && cameras.length > 0 && (
        <ul class="setup-list" data-testid="setup-list">
          {cameras.map((camera) => (
            <Row
              key={camera.id}
              camera={camera}
              status={statuses.get(camera.id)}
              nowMs={(wall.serverNowUs() ?? Date.now() * 1000) / 1000}
              manage={manage === true}
              onEdit={() => setOpen({ dialog: "edit", camera })}
              onRemove={() => setOpen({ dialog: "remove", camera })}
              onDone={done}
            />
          ))}
        </ul>
      )}
      {open?.dialog === "add" && <CameraDialog camera={undefined} taken={taken} onDone={done} onClose={close} />}
      {open?.dialog === "edit" && <CameraDialog camera={open.camera} taken={taken} onDone={done} onClose={close} />}
      {open?.dialog === "remove" && <RemoveDialog camera={open.camera} onDone={done} onClose={close} />}
    </section>
  );
}

/** The server takes changes from elsewhere only. */
function NotAllowed(): JSX.Element {
  return (
    <div class="setup-why" data-testid="setup-not-allowed">
      <h3>Cameras cannot be changed from here</h3>
      <p>
        There is no log-in yet, so framecast takes changes from its own machine only, and not through a proxy. Open this page there, or start framecast with the networks that may change
        cameras:
      </p>
      <pre tabIndex={0}>
        <code>framecast --manage-from 192.168.1.0/24</code>
      </pre>
      <p>Whoever is in those networks can then add, change and remove cameras.</p>
    </div>
  );
}
