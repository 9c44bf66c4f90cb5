// The picture that a video element shows, as a JPEG.

/** For pictures that a person keeps; one that only stands on a tile needs no more. */
const QUALITY = 0.92;

/** `undefined` where there is no picture yet. What the element shows at the call is what is taken. */
export async function jpegOf(video: HTMLVideoElement): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { videoWidth: width, videoHeight: height } = video;
  if (width === 0 || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return undefined;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d", { alpha: false })?.drawImage(video, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  return blob === null ? undefined : new Uint8Array(await blob.arrayBuffer());
}
