import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The version of this release, as package.json says it: it stands two folders above, in a checkout and in a package. */
export function programVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
  const isManifest = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isManifest && typeof manifest.version === "string" ? manifest.version : "0.0.0";
}
