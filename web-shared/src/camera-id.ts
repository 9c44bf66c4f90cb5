// The one rule for camera ids; the server has the same.

const CAMERA_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function isCameraId(text: string): boolean {
  return CAMERA_ID.test(text);
}

/** What to tell a person whose camera id does not match. */
export const CAMERA_ID_RULE = "Letters, digits, dot, dash and underscore; starts with a letter or digit; at most 64.";
