// One entry of a boot loader's menu, as its configuration writes it.
import { isStorePath, type StorePath } from "../../protocol/names.ts";

export interface BootEntry {
  readonly system: StorePath;
  /** As the boot loader names them; what is not a file name that we understand is left out. */
  readonly kernel: string | undefined;
  readonly initrd: string | undefined;
}

/** The system that a kernel's command line boots: `init=/nix/store/…-nixos-system-web01/init`. */
export function systemOfCommandLine(options: string): StorePath | undefined {
  const path = /(?:^|\s)init=(?<path>\S+)\/init(?=\s|$)/.exec(options)?.groups?.["path"];
  return isStorePath(path) ? path : undefined;
}

/** Configurations of boot loaders are small; a hundred generations of GRUB are 100 KiB. */
export const maxBootConfigBytes = 4 * 1024 * 1024;
