// A QR code as a picture. Dark on light whatever the colour scheme: many readers know no other.

import type { JSX } from "preact";
import { encode } from "uqr";

/** Modules of white around the code that readers need (ISO/IEC 18004, 9.1). */
const QUIET = 4;

export function Code({ text }: { text: string }): JSX.Element {
  const { data, size } = encode(text, { ecc: "M", border: QUIET });
  const path = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join("");
  return (
    <svg class="qr-code" data-testid="qr-code" role="img" aria-label={`QR code of ${text}`} viewBox={`0 0 ${size} ${size}`} shape-rendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
