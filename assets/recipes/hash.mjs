import { createHash } from "node:crypto";

export function sha256Text(text) {
  return createHash("sha256").update(text).digest("hex");
}
