// Which boot loader a machine has, by the configuration that was written last: one that was given up may have left its own.
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { HostRoots } from "../host-roots.ts";
import { orUndefined } from "../read-if-there.ts";

export type BootLoaderKind = "systemd-boot" | "grub" | "extlinux";

export interface BootLoader {
  readonly kind: BootLoaderKind;
  readonly configFile: string;
  /** The top of the file system that its names are relative to. */
  readonly directory: string;
}

/** Where an EFI system partition is mounted, the usual places first. */
export const partitionsOf = ({ boot, efi }: HostRoots): readonly string[] => [boot, join(boot, "efi"), efi];

const configFiles: Readonly<Record<BootLoaderKind, string>> = {
  "systemd-boot": "loader/loader.conf",
  grub: "grub/grub.cfg",
  extlinux: "extlinux/extlinux.conf",
};

export async function findBootLoader(roots: HostRoots): Promise<BootLoader | undefined> {
  const candidates: readonly BootLoader[] = [
    ...partitionsOf(roots).map((directory) => candidate("systemd-boot", directory)),
    candidate("grub", roots.boot),
    candidate("extlinux", roots.boot),
  ];
  let newest: { readonly loader: BootLoader; readonly at: number } | undefined;
  for (const loader of candidates) {
    const at = (await orUndefined(stat(loader.configFile)))?.mtimeMs;
    if (at !== undefined && (newest === undefined || at > newest.at)) newest = { loader, at };
  }
  return newest?.loader;
}

const candidate = (kind: BootLoaderKind, directory: string): BootLoader => ({
  kind,
  configFile: join(directory, configFiles[kind]),
  directory,
});

/** Where a boot loader looks for a file that its entry names. */
export function fileOfEntry({ kind, configFile, directory }: BootLoader, name: string): string {
  if (kind === "extlinux" && !name.startsWith("/")) return join(dirname(configFile), name);
  return join(directory, name);
}
