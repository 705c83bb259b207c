import { encode } from "fast-png";
import type { ScreenFrame } from "../engine/protocol";

/** A whole frame as a PNG file; the picture as the machine draws it, not stretched to the tube. */
export function framePng({ width, height, bands }: ScreenFrame): Uint8Array {
  const data = new Uint8Array(width * height * 3);
  for (const { y, pixels } of bands) {
    for (let from = 0, to = 3 * width * y; from < pixels.length; from += 4, to += 3) {
      data[to] = pixels[from]!;
      data[to + 1] = pixels[from + 1]!;
      data[to + 2] = pixels[from + 2]!;
    }
  }
  return encode({ width, height, data, channels: 3, depth: 8 });
}
