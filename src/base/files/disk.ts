import { statfs } from "node:fs/promises";

export interface Disk {
  readonly totalBytes: number;
  readonly availableBytes: number;
}

export interface FileSystem {
  readonly disk: Disk;
  /** How many files there can be; undefined where they are not counted, as on Btrfs and ZFS. */
  readonly inodes: { readonly total: number; readonly available: number } | undefined;
}

/** The file system that this directory is on. */
export async function fileSystemOf(directory: string): Promise<FileSystem> {
  const { bavail, blocks, bsize, files, ffree } = await statfs(directory);
  return {
    disk: { availableBytes: bavail * bsize, totalBytes: blocks * bsize },
    inodes: files === 0 ? undefined : { available: ffree, total: files },
  };
}

export const diskOf = async (directory: string): Promise<Disk> => (await fileSystemOf(directory)).disk;
