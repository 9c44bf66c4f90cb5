// What a JPEG says of itself before its pixels: ITU-T T.81, annex B.

export interface JpegHead {
  width: number;
  height: number;
  /** Whether it carries EXIF, which might say that the picture is to be turned. */
  mayBeTurned: boolean;
}

/** Markers of frame headers, SOF0 to SOF15; of that range DHT, JPG and DAC are none. */
const isFrameHeader = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
const START_OF_SCAN = 0xda;
const APP1 = 0xe1;
/** How an APP1 segment of EXIF begins ("Exif"); XMP, for one, begins otherwise. */
const EXIF = 0x45786966;

/** `undefined`: not such segments up to the first scan. */
export function readJpegHead(jpeg: Uint8Array): JpegHead | undefined {
  const view = new DataView(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength);
  let size: { width: number; height: number } | undefined;
  let mayBeTurned = false;
  // Behind the start of the image, each segment is its marker and its length, which counts itself.
  let at = 2;
  while (at + 9 <= view.byteLength && view.getUint8(at) === 0xff) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // A marker may have any number of these before it.
      continue;
    }
    if (marker === START_OF_SCAN) return size && { ...size, mayBeTurned };
    if (isFrameHeader(marker)) size = { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    mayBeTurned ||= marker === APP1 && view.getUint32(at + 4) === EXIF;
    at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}
