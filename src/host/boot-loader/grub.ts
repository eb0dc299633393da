// GRUB's grub.cfg as NixOS writes it (install-grub.pl in nixpkgs).
import { systemOfCommandLine, type BootEntry } from "./boot-entry.ts";

/**
 * The default entry; undefined when it is not one of the top menu by its number, which is so where GRUB remembers the
 * entry that was chosen last.
 */
export function parseGrubDefault(text: string): BootEntry | undefined {
  // `next_entry` is for one boot only, and the other assignment is what counts else.
  const wanted = [...text.matchAll(/^\s*set default="?(?<value>[^"\s]*)"?\s*$/gm)]
    .map(({ groups }) => groups?.["value"] ?? "")
    .filter((value) => value !== "${next_entry}")
    .at(-1);
  if (wanted === undefined || !/^\d{1,4}$/.test(wanted)) return undefined;
  const block = topEntries(text)[Number(wanted)];
  return block === undefined ? undefined : parseBlock(block);
}

/** The lines in the braces of each `menuentry` and `submenu` of the top menu. */
function topEntries(text: string): readonly (readonly string[])[] {
  const blocks: string[][] = [];
  let depth = 0;
  let isEntry = false;
  for (const line of text.split("\n")) {
    const opens = /\{\s*$/.test(line) ? 1 : 0;
    const closes = /^\s*\}\s*$/.test(line) ? 1 : 0;
    if (depth === 0 && opens === 1) {
      isEntry = /^\s*(?:menuentry|submenu)\s/.test(line);
      if (isEntry) blocks.push([]);
    } else if (depth > 0 && isEntry) blocks.at(-1)?.push(line);
    depth = Math.max(0, depth + opens - closes);
  }
  return blocks;
}

function parseBlock(lines: readonly string[]): BootEntry | undefined {
  const words = (command: string): readonly string[] =>
    lines
      .find((line) => new RegExp(`^\\s*${command}\\s`).test(line))
      ?.trim()
      .split(/\s+/) ?? [];
  const [, kernel, ...options] = words("linux(?:efi)?");
  const system = systemOfCommandLine(options.join(" "));
  if (system === undefined) return undefined;
  return { system, kernel: withoutDrive(kernel), initrd: withoutDrive(words("initrd(?:efi)?")[1]) };
}

/** `($drive1)//kernels/x` → `/kernels/x` */
const withoutDrive = (file: string | undefined): string | undefined =>
  file?.replace(/^\([^)]*\)/, "").replace(/^\/+/, "/");
