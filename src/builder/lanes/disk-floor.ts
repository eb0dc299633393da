import { HomelabError } from "../../base/errors.ts";
import type { BuilderStatus } from "../../protocol/builder-status.ts";

export interface DiskFloor {
  /** Undefined where it cannot be said. */
  readonly diskSpace: () => Promise<BuilderStatus["disk"]>;
  readonly minFreeBytes: number;
}

const gib = 2 ** 30;

/**
 * A build that begins with too little room fills the disk, and on a full disk the collector itself can fail.
 *
 * @throws HomelabError `unavailable` `DISK_FLOOR` when less than the floor is free; builds try again then.
 */
export async function requireRoom({ diskSpace, minFreeBytes }: DiskFloor): Promise<void> {
  const disk = await diskSpace();
  if (disk === undefined || disk.availableBytes >= minFreeBytes) return;
  const [free, floor] = [disk.availableBytes, minFreeBytes].map((bytes) => (bytes / gib).toFixed(1));
  throw new HomelabError(
    "unavailable",
    `the store's disk has ${free} GiB free, and nothing is built below ${floor} GiB`,
    {
      code: "DISK_FLOOR",
      hint: "homelab-deploy cache retain --plan on the builder shows what can go; then nix-collect-garbage",
    },
  );
}
