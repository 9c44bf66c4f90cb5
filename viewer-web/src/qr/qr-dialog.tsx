// Takes a phone to the capture page, and says what the phone's browser would have against it.

import "./qr.css";
import { httpUrl } from "@framecast/shared/address";
import { CAMERA_ID_RULE, isCameraId } from "@framecast/shared/camera-id";
import { parseMessage } from "@framecast/shared/wire/json";
import type { JSX } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { Modal } from "../dialog/modal.tsx";
import { Code } from "./code.tsx";
import { findTarget, freeId, readAddresses, withCamera, type Target } from "./target.ts";

export interface QrProps {
  capturePage: URL;
  /** Ids of the cameras there are. */
  taken: readonly string[];
  onClose: () => void;
}

export default function QrDialog({ capturePage, taken, onClose }: QrProps): JSX.Element {
  const target = useTarget(capturePage);
  const [chosen, choose] = useState(0);
  const [camera, setCamera] = useState(() => freeId(taken));
  const ids = { camera: useId(), rule: useId(), address: useId() };
  const page = target?.pages[chosen] ?? target?.pages[0];
  const known = isCameraId(camera);
  const url = page === undefined || !known ? undefined : withCamera(page, camera).href;
  return (
    <Modal title="Use a phone as a camera" testId="qr" onClose={onClose}>
      {target !== undefined && page !== undefined && (
        <div class="qr" data-obstacle={target.obstacle ?? "none"} data-testid="qr-target">
          {target.obstacle === "loopback" ? <OnlyHere page={page} /> : url !== undefined && <Code text={url} />}
          {target.obstacle !== "loopback" && (
            <>
              <p class="qr-address" data-testid="qr-address">
                {url !== undefined && <a href={url}>{url}</a>}
              </p>
              <div class="qr-fields">
                <label for={ids.camera}>Camera id</label>
                <input id={ids.camera} value={camera} spellcheck={false} autocomplete="off" autocapitalize="off" maxLength={64} aria-invalid={!known} aria-describedby={ids.rule} onInput={(event) => setCamera(event.currentTarget.value)} />
                <p id={ids.rule} class="qr-rule">
                  {known ? (taken.includes(camera) ? "There is a camera with this id; the phone would take its place." : "") : CAMERA_ID_RULE}
                </p>
                {target.pages.length > 1 && (
                  <>
                    <label for={ids.address}>This machine's address in the phone's network</label>
                    <select id={ids.address} value={chosen} onChange={(event) => choose(Number(event.currentTarget.value))}>
                      {target.pages.map((each, index) => (
                        <option key={each.host} value={index}>
                          {each.host}
                        </option>
                      ))}
                    </select>
                  </>
                )}
              </div>
            </>
          )}
          {target.obstacle === "insecure" && <NotSecure page={page} />}
        </div>
      )}
    </Modal>
  );
}

/** The server listens on a loopback address. */
function OnlyHere({ page }: { page: URL }): JSX.Element {
  return (
    <section class="qr-why" data-testid="qr-loopback">
      <h3>Only this machine reaches the server</h3>
      <p>It listens on {page.host}. To let phones in, start it with</p>
      <pre tabIndex={0}>
        <code>--ingest-addr 0.0.0.0:{page.port || "8080"}</code>
      </pre>
      <p>Whoever reaches that port can then publish: see Security in the README.</p>
      <p>
        Or connect an Android phone by USB, run <code>{`adb reverse tcp:${page.port} tcp:${page.port}`}</code>, and open <code>{`http://localhost:${page.port}/`}</code> on it. There the camera works at once.
      </p>
    </section>
  );
}

function NotSecure({ page }: { page: URL }): JSX.Element {
  return (
    <section class="qr-why" data-testid="qr-insecure">
      <h3>The phone's browser will not lend its camera to this address</h3>
      <p>Browsers give a camera only to https pages, and {page.host} is plain http. One of these helps:</p>
      <ul>
        <li>A proxy with TLS before the port, and --allow-origin with its https address.</li>
        <li>
          In Chrome on Android: open <code>chrome://flags/#unsafely-treat-insecure-origin-as-secure</code>, enter <code>{page.origin}</code>, switch it on and start Chrome again. For trying things out at home.
        </li>
        <li>
          By USB: <code>{`adb reverse tcp:${page.port} tcp:${page.port}`}</code>, then open <code>{`http://localhost:${page.port}/`}</code> on the phone.
        </li>
      </ul>
    </section>
  );
}

/** `undefined` until the server has said where it is; a server that does not say is where this page found it. */
function useTarget(capturePage: URL): Target | undefined {
  const [target, setTarget] = useState<Target>();
  useEffect(() => {
    let current = true;
    const ask = async (): Promise<string[]> => {
      const response = await fetch(httpUrl("api/info", import.meta.env.VITE_VIEW_URL, location.href));
      return readAddresses(response.ok ? parseMessage(await response.text()) : undefined);
    };
    ask()
      .catch(() => [])
      .then((addresses) => current && setTarget(findTarget(capturePage, addresses)))
      .catch(() => undefined);
    return () => {
      current = false;
    };
  }, [capturePage.href]);
  return target;
}
