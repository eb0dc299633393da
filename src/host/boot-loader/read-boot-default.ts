// The entry that a machine boots by default.
import { join } from "node:path";
import { readBytesBounded } from "../../base/files/read-bounded.ts";
import type { HostRoots } from "../host-roots.ts";
import { namesIfThere, orUndefined, readTextIfThere } from "../read-if-there.ts";
import { maxBootConfigBytes, type BootEntry } from "./boot-entry.ts";
import { parseExtlinuxDefault } from "./extlinux.ts";
import { findBootLoader, partitionsOf, type BootLoader } from "./find-boot-loader.ts";
import { parseGrubDefault } from "./grub.ts";
import {
  chooseEntry,
  decodeLoaderVariable,
  loaderEntryDefault,
  parseLoaderConf,
  parseLoaderEntry,
} from "./systemd-boot.ts";

export type BootDefault =
  | { readonly type: "read"; readonly entry: BootEntry; readonly loader: BootLoader }
  /** A boot loader, or a way of using it, that is not known here. */
  | { readonly type: "unknown" }
  /** The entry that it should boot does not exist. */
  | { readonly type: "broken"; readonly why: string };

const maxVariableBytes = 4096;

export async function readBootDefault(roots: HostRoots): Promise<BootDefault> {
  const loader = await findBootLoader(roots);
  if (loader === undefined) return { type: "unknown" };
  if (loader.kind === "systemd-boot") return readSystemdBoot(roots, loader);
  const text = (await readTextIfThere(loader.configFile, maxBootConfigBytes)) ?? "";
  const entry = loader.kind === "grub" ? parseGrubDefault(text) : parseExtlinuxDefault(text);
  return entry === undefined ? { type: "unknown" } : { type: "read", entry, loader };
}

async function readSystemdBoot(roots: HostRoots, loader: BootLoader): Promise<BootDefault> {
  const config = (await readTextIfThere(loader.configFile, maxBootConfigBytes)) ?? "";
  const wanted = (await readVariable(roots)) ?? parseLoaderConf(config);
  // `@saved`: what was chosen last, which only the firmware knows.
  if (wanted === undefined || wanted.startsWith("@")) return { type: "unknown" };
  // With XBOOTLDR the entries are on another partition than loader.conf.
  for (const directory of partitionsOf(roots)) {
    const entries = join(directory, "loader/entries");
    const file = chooseEntry(wanted, await namesIfThere(entries));
    if (file === undefined) continue;
    const text = (await readTextIfThere(join(entries, file), maxBootConfigBytes)) ?? "";
    const entry = parseLoaderEntry(text);
    return entry === undefined
      ? { type: "unknown" }
      : { type: "read", entry, loader: { ...loader, directory } };
  }
  const isName = !/[*?]/.test(wanted) && wanted.endsWith(".conf");
  return isName
    ? { type: "broken", why: `the boot loader's default entry ${wanted} is not there` }
    : { type: "unknown" };
}

/** Somebody who pressed `d` in the menu, or ran `bootctl set-default`, has written it. */
async function readVariable({ efiVariables }: HostRoots): Promise<string | undefined> {
  const read = await orUndefined(readBytesBounded(join(efiVariables, loaderEntryDefault), maxVariableBytes));
  return read === undefined ? undefined : decodeLoaderVariable(read.bytes);
}
