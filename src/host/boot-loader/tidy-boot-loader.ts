// What an installation of systemd-boot leaves when it is cut off. Its builder opens `loader.tmp` only when it does not exist,
// so every later installation fails until somebody removes it.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { HostRoots } from "../host-roots.ts";
import { namesIfThere } from "../read-if-there.ts";
import { partitionsOf } from "./find-boot-loader.ts";

export async function tidyBootLoader(roots: HostRoots): Promise<void> {
  for (const partition of partitionsOf(roots)) {
    const loader = join(partition, "loader");
    await rm(join(loader, "loader.tmp"), { force: true });
    const entries = join(loader, "entries");
    for (const name of await namesIfThere(entries)) {
      if (name.endsWith(".tmp")) await rm(join(entries, name), { force: true });
    }
  }
}
