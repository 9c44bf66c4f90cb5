// Whether the page may use cameras, where the browser tells.

import type { Releases } from "@framecast/shared/releases";

/** Calls `granted` when the person allows the camera after all. Firefox and Safari do not tell; there nothing happens. */
export function watchPermission(run: Releases, granted: () => void): void {
  const asked = navigator.permissions?.query({ name: "camera" as PermissionName });
  asked?.then(
    (status) => {
      run.listen(status, "change", () => {
        if (status.state === "granted") granted();
      });
    },
    () => undefined,
  );
}
