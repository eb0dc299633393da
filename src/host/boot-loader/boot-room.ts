// Room for a system's kernel and initrd, which most boot loaders need beside themselves.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { diskOf } from "../../base/files/disk.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { HostRoots } from "../host-roots.ts";
import { orUndefined, realPathIfThere } from "../read-if-there.ts";
import { findBootLoader, partitionsOf, type BootLoaderKind } from "./find-boot-loader.ts";
import { readBootDefault } from "./read-boot-default.ts";

export interface BootRoom {
  readonly free: number;
  readonly needed: number;
}

/** Where each builder of nixpkgs copies a file of the store to, relative to its partition. */
export function copyNameOf(kind: BootLoaderKind, file: string): string {
  const name = file.replace(/^.*\/(?=[0-9a-df-np-sv-z]{32}-)/, "").replaceAll("/", "-");
  switch (kind) {
    case "systemd-boot":
      return `EFI/nixos/${name}.efi`;
    case "grub":
      return `kernels/${name}`;
    case "extlinux":
      return `nixos/${name}`;
  }
}

/** Undefined where there is no boot loader that we know. What is there already under its name needs no room. */
export async function readBootRoom(roots: HostRoots, path: StorePath): Promise<BootRoom | undefined> {
  const loader = await findBootLoader(roots);
  if (loader === undefined) return undefined;
  const current = await readBootDefault(roots);
  const directory = current.type === "read" ? current.loader.directory : loader.directory;
  const free = (await diskOf(directory)).availableBytes;
  // GRUB reads from the store itself, unless it was told to copy.
  if (loader.kind === "grub" && current.type === "read" && !isCopy(current.entry.kernel)) {
    return { free, needed: 0 };
  }
  let needed = 0;
  const files = await Promise.all(
    ["kernel", "initrd"].map(async (name) => realPathIfThere(join(path, name))),
  );
  for (const file of new Set(files.filter((each) => each !== undefined))) {
    const copies = partitionsOf(roots).map((each) => join(each, copyNameOf(loader.kind, file)));
    const found = await Promise.all(copies.map(async (copy) => orUndefined(stat(copy))));
    if (found.every((each) => each === undefined)) needed += (await stat(file)).size;
  }
  return { free, needed };
}

const isCopy = (kernel: string | undefined): boolean => kernel?.includes("/kernels/") === true;
