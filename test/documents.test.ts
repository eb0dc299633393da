import { existsSync, globSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { expect, test } from "vitest";
import { createProgram } from "../src/cli/program.ts";
import { codeBlocks, codeOf, readPage, sectionOf, tableRows } from "./support/documents.ts";

const root = join(import.meta.dirname, "..");
const pages = ["*.md", "docs/*.md", "docs/runbooks/*.md", "infra/*/*.md"]
  .flatMap((glob) => globSync(glob, { cwd: root }))
  .toSorted();

/** The anchor that a forge makes of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
const withoutCode = (page: string): string => page.replaceAll(/^ *```[\s\S]*?^ *```$/gm, "");
const anchorsOf = (page: string): readonly string[] =>
  [...withoutCode(page).matchAll(/^#+ (?<heading>.+)$/gm)].map(({ groups }) =>
    anchorOf(groups?.["heading"] ?? ""),
  );

test.each(pages)("%s links to pages and sections that are there", (page) => {
  const links = [...withoutCode(readPage(page)).matchAll(/\]\((?<target>[^)\s]+)\)/g)]
    .map(({ groups }) => groups?.["target"] ?? "")
    .filter((target) => !/^https?:/.test(target));
  const broken = links.filter((target) => {
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? page : join(dirname(page), path);
    if (!existsSync(join(root, file))) return true;
    return anchor !== undefined && !anchorsOf(readPage(file)).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test.each(pages)("%s names only files of this project that are there", (page) => {
  const named = [...readPage(page).matchAll(/`(?<path>(?:src|test|bin|docs|infra|nix)\/[\w./-]+)`/g)].map(
    ({ groups }) => groups?.["path"] ?? "",
  );
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

interface CommandLine {
  readonly words: readonly string[];
  readonly text: string;
}

/** Every command line of this program in blocks and spans of code, with its continuation lines. */
function commandLines(page: string): readonly CommandLine[] {
  const code = [
    ...codeBlocks(page).map(({ text }) => text.replaceAll(/\\\n\s*/g, "")),
    ...[...withoutCode(page).matchAll(/`(?<span>[^`\n]+)`/g)].map(({ groups }) => groups?.["span"] ?? ""),
  ];
  return code
    .flatMap((text) => [...text.matchAll(/(?<=^|[`\s/])homelab-deploy(?<rest>(?: [^`\n#;)>|]*)?)/gm)])
    .map(({ groups }) => (groups?.["rest"] ?? "").split(/ {2}/)[0]?.trim() ?? "")
    .map((text) => ({ text, words: text.split(/\s+/).filter((word) => word !== "" && word !== "…") }));
}

/** What the program would not understand of a command line. */
function unknownOf({ words }: CommandLine): readonly string[] {
  let command: Pick<Command, "commands" | "options"> = program;
  const unknown: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    const next = command.commands.find((each) => each.name() === word);
    const option = [...command.options, ...program.options].find(
      ({ long, short }) => word === long || word === short,
    );
    if (next !== undefined) command = next;
    else if (option !== undefined) index += option.required ? 1 : 0;
    else if (
      !["--help", "--version"].includes(word) &&
      (word.startsWith("-") || command.commands.length > 0)
    ) {
      unknown.push(word);
    }
  }
  return unknown;
}

const program: Pick<Command, "commands" | "options"> = await createProgram(() => {}).whole();

test.each(pages)("%s shows only commands and options that there are", (page) => {
  const wrong = commandLines(readPage(page)).filter((line) => unknownOf(line).length > 0);
  expect(wrong.map(({ text }) => text)).toEqual([]);
});

const workflows = globSync("infra/nixos/.github/workflows/*.yaml", { cwd: root });

test("there are examples of workflows", () => {
  expect(workflows.length).toBeGreaterThan(1);
});

test.each(workflows)("%s is one step with a command that there is, and does not run here", (file) => {
  const lines = readPage(file)
    .split("\n")
    .filter((line) => !/^ *#/.test(line));
  const steps = lines.flatMap((line) => /^ +- run: (?<command>.+)$/.exec(line)?.groups?.["command"] ?? []);
  expect(steps).toHaveLength(1);
  expect(lines.filter((line) => /\buses:|\$\{\{|\t/.test(line))).toEqual([]);
  const commands = commandLines(`\`\`\`sh\n${steps.join("\n")}\n\`\`\``);
  expect(commands).toHaveLength(1);
  expect(commands.flatMap(unknownOf)).toEqual([]);
  expect([".github/workflows", ".gitea/workflows"].filter((path) => existsSync(join(root, path)))).toEqual(
    [],
  );
});

test("a wrong command or option would be noticed", () => {
  const page =
    "```sh\nhomelab-deploy --nkey a.nk nats setup \\\n  --check --chekc  # look\n```\n`homelab-deploy biuld`";
  const lines = commandLines(page);
  expect(lines.map(({ text }) => text)).toEqual(["--nkey a.nk nats setup --check --chekc", "biuld"]);
  expect(lines.map(unknownOf)).toEqual([["--chekc"], ["biuld"]]);
});

test("README.md lists every command, with its arguments", () => {
  const leaves = (command: Pick<Command, "commands">, path: string): string[] =>
    command.commands.flatMap((each) => {
      const name = `${path} ${each.name()}`;
      if (each.commands.length > 0) return leaves(each, name);
      const args = each.registeredArguments.map((argument) => {
        const shown = argument.variadic ? `${argument.name()}...` : argument.name();
        return argument.required ? ` <${shown}>` : ` [${shown}]`;
      });
      return ["complete", "manual"].includes(each.name()) ? [] : [`${name}${args.join("")}`];
    });
  const listed = tableRows(sectionOf(readPage("README.md"), "Commands")).map(([command]) => codeOf(command));
  expect(listed).toEqual(leaves(program, "homelab-deploy"));
});
