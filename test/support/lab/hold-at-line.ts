// Loaded into the programs of a host before their own code (`node --import`): whoever writes the line of the journal that
// `/var/lib/hold-line` names stays exactly there, with the line on the disk and nothing done behind it, until that file is
// gone. The product knows nothing of it.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

const [holdFile, heldFile] = ["/var/lib/hold-line", "/run/held-line"];
const handle = await open("/dev/null");
const prototype = Object.getPrototypeOf(handle) as FileHandle;
await handle.close();
const { appendFile, datasync } = prototype;
const written = new WeakMap<FileHandle, string>();

prototype.appendFile = async function (this: FileHandle, ...args: Parameters<typeof appendFile>) {
  const [data] = args;
  if (data instanceof Uint8Array) written.set(this, Buffer.from(data).toString());
  return appendFile.apply(this, args);
};
prototype.datasync = async function (this: FileHandle) {
  await datasync.apply(this);
  if (!existsSync(holdFile)) return;
  const wanted = `"type":${JSON.stringify(readFileSync(holdFile, "utf8").trim())}`;
  if (written.get(this)?.includes(wanted) !== true) return;
  writeFileSync(heldFile, "");
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (existsSync(holdFile)) Atomics.wait(cell, 0, 0, 20);
};
