import { join } from "node:path";
import { isBug } from "../base/errors.ts";
import { readBootDefault } from "./boot-loader/read-boot-default.ts";
import type { HostRoots } from "./host-roots.ts";
import { readPermanent, storePathOf } from "./profile.ts";
import { readTextIfThere, realPathIfThere } from "./read-if-there.ts";
import type { SystemPaths } from "./system.ts";

function unknownUnlessBug(error: unknown): { readonly type: "unknown" } {
  if (isBug(error)) throw error;
  return { type: "unknown" };
}

/** What runs, what booted, and what would boot: links and files only, no program is asked. */
export async function readPaths(roots: HostRoots): Promise<SystemPaths> {
  const [running, etcStatic, booted, permanent, entry, bootId] = await Promise.all([
    storePathOf(join(roots.run, "current-system")),
    realPathIfThere(join(roots.etc, "static")),
    storePathOf(join(roots.run, "booted-system")),
    readPermanent(roots.profiles),
    // What only root may read, such as an EFI partition, or cannot be read at all, is unknown: the rest counts all the same.
    readBootDefault(roots).catch(unknownUnlessBug),
    readTextIfThere(roots.bootId, 1024),
  ]);
  return {
    running,
    etcStatic,
    booted,
    permanent,
    bootDefault: entry.type === "read" ? entry.entry.system : undefined,
    bootId: bootId?.trim() ?? "",
  };
}
