// Command lines of this program as documents and hints have them.
import { codeBlocks } from "./documents.ts";

export interface CommandLine {
  readonly text: string;
  readonly words: readonly string[];
  /** In a block of code, to be copied as it is; in a sentence a command may also only be named. */
  readonly isWhole: boolean;
}

const withoutBlocks = (page: string): string => page.replaceAll(/^ *```[\s\S]*?^ *```$/gm, "");

/** Every command line in blocks and spans of code, with its continuation lines. */
export function commandLines(page: string): readonly CommandLine[] {
  const blocks = codeBlocks(page).map(({ text }) => text.replaceAll(/\\\n\s*/g, ""));
  const spans = [...withoutBlocks(page).matchAll(/`(?<span>[^`\n]+)`/g)].map(
    ({ groups }) => groups?.["span"] ?? "",
  );
  return [...blocks.flatMap((text) => linesIn(text, true)), ...spans.flatMap((text) => linesIn(text, false))];
}

/** `systemctl status homelab-deploy-builder` is about a unit. */
const ofOthers = /^\s*(?:sudo )?(?:systemctl|journalctl|git|df|curl|grep|systemd-\w+) /;

/** What stands behind `homelab-deploy`, or `homelab-deploy-builder`, which is the same with its configuration. */
export function linesIn(text: string, isWhole: boolean): readonly CommandLine[] {
  return text
    .split("\n")
    .filter((line) => !ofOthers.test(line))
    .map((line) =>
      line.replaceAll(/[<[](?<name>[a-z]+)(?:\.\.\.)?[\]>]/g, (_, name: string) => name.toUpperCase()),
    )
    .flatMap((line) => [
      ...line.matchAll(/(?<=^|[`\s/])homelab-deploy(?:-builder)?(?<rest> [^`#;)>|]*)(?=$|[`#;)>|])/g),
    ])
    .map(({ groups }) => (groups?.["rest"] ?? "").split(/ {2}/)[0]?.trim() ?? "")
    .filter((line) => line !== "")
    .map((line) => ({
      text: line,
      words: line.split(/\s+/).filter((word) => word !== "…"),
      isWhole,
    }));
}
