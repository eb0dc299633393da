// The proof that a machine would boot a system: a boot loader's builder can exit with 0 and have written nothing, or half
// of a kernel where `/boot` was full.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { StorePath } from "../../protocol/names.ts";
import type { HostRoots } from "../host-roots.ts";
import { orUndefined, realPathIfThere } from "../read-if-there.ts";
import { fileOfEntry, type BootLoader } from "./find-boot-loader.ts";
import { readBootDefault } from "./read-boot-default.ts";

/** A reason in words for people; undefined when it would, or when the boot loader is not known here. */
export async function whyNotBootDefault(
  roots: HostRoots,
  path: StorePath,
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = await readBootDefault(roots);
  if (found.type === "unknown") return undefined;
  if (found.type === "broken") return found.why;
  const { entry, loader } = found;
  if (entry.system !== path) return `the boot loader's default entry boots ${entry.system}`;
  return (
    (await whyDifferent(loader, entry.kernel, join(path, "kernel"), "kernel", signal)) ??
    (await whyDifferent(loader, entry.initrd, join(path, "initrd"), "initrd", signal))
  );
}

async function whyDifferent(
  loader: BootLoader,
  name: string | undefined,
  original: string,
  what: "kernel" | "initrd",
  signal: AbortSignal,
): Promise<string | undefined> {
  const source = await realPathIfThere(original);
  if (name === undefined || source === undefined) return undefined;
  const file = await copyOf(loader, name);
  if (file === undefined) return `the ${what} of the boot loader's default entry, ${name}, is not there`;
  if (file === source) return undefined;
  const [size, copied] = [(await stat(source)).size, (await stat(file)).size];
  // The secrets of `boot.initrd.secrets` are appended to the copy.
  const mayBeLonger = what === "initrd";
  if (copied < size || (copied > size && !mayBeLonger)) {
    return `the boot loader's copy of the ${what} has ${copied} bytes and not ${size}: ${file}`;
  }
  const [wanted, got] = [await hashOf(source, size, signal), await hashOf(file, size, signal)];
  return wanted === got ? undefined : `the boot loader's copy of the ${what} is damaged: ${file}`;
}

/** GRUB reads from the store itself where it can. */
async function copyOf(loader: BootLoader, name: string): Promise<string | undefined> {
  const own = fileOfEntry(loader, name);
  if ((await orUndefined(stat(own)))?.isFile() === true) return own;
  const elsewhere = loader.kind === "grub" ? await realPathIfThere(name) : undefined;
  return elsewhere;
}

async function hashOf(file: string, bytes: number, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  if (bytes > 0) await pipeline(createReadStream(file, { end: bytes - 1 }), hash, { signal });
  return hash.digest("hex");
}
