import { statfs } from "node:fs/promises";

export interface Disk {
  readonly totalBytes: number;
  readonly availableBytes: number;
}

/** The file system that this directory is on. */
export async function diskOf(directory: string): Promise<Disk> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { availableBytes: bavail * bsize, totalBytes: blocks * bsize };
}
