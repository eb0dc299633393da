import { existsSync, globSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { expect, test } from "vitest";
import { createProgram } from "../src/cli/program.ts";
import { commandLines, linesIn, type CommandLine } from "./support/command-lines.ts";
import { codeOf, readPage, readSources, sectionOf, tableRows } from "./support/documents.ts";
import { parseCommand } from "./support/parse-command.ts";

const root = join(import.meta.dirname, "..");
const pages = ["*.md", "docs/**/*.md", "infra/*/*.md"]
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

const program: Pick<Command, "commands" | "options"> = await createProgram(() => {}).whole();

/** A sentence names `homelab-deploy logs` without an id, or an option of all: that is not how to call it. */
function isNamed({ words, isWhole }: CommandLine): boolean {
  if (isWhole) return false;
  let command: Pick<Command, "commands"> | undefined = program;
  for (const word of words) command = command?.commands.find((each) => each.name() === word);
  const [first = ""] = words;
  const isOption = program.options.some(({ long }) => long === first);
  return command !== undefined || (isOption && words.length <= 2);
}

/** Of a sentence that continues behind a command, as much as it is with its options. */
async function withoutSentence(line: CommandLine): Promise<CommandLine> {
  const hasParts = program.commands.some(
    (command) => command.commands.length > 0 && command.name() === line.words[0],
  );
  const options = line.words.findLastIndex((word) => word.startsWith("-")) + 1;
  const least = Math.max(hasParts ? 2 : 1, options);
  for (let length = line.words.length; length > least; length--) {
    const words = line.words.slice(0, length);
    if ((await parseCommand(words)).exitCode === 0) return { ...line, words };
  }
  return { ...line, words: line.words.slice(0, least) };
}

/** What the parser says of lines that it does not understand. */
async function refusedOf(lines: readonly CommandLine[]): Promise<readonly string[]> {
  const refused: string[] = [];
  for (const line of lines.filter((each) => !isNamed(each))) {
    const { said, exitCode } = await parseCommand(line.words);
    if (exitCode !== 0) refused.push(`${line.text}: ${said.split("\n")[0]}`);
  }
  return refused;
}

test.each(pages)("%s has only command lines that the parser understands", async (page) => {
  const text = readPage(page);
  // The arguments of each command, without the options that it needs: another test compares them.
  const list = page === "README.md" ? sectionOf(text, "Commands") : "";
  expect(await refusedOf(commandLines(text.replace(list, "")))).toEqual([]);
});

test("what messages and hints tell to run the parser understands", async () => {
  const lines = readSources()
    .flatMap(({ text }) => [
      ...text.matchAll(/(?:"|(?<!\\)`)(?<said>[^"\n]*?homelab-deploy [^"\n]*?)(?:"|(?<!\\)`)/g),
    ])
    .map(({ groups }) => (groups?.["said"] ?? "").replaceAll(/(?<= )\$\{[^}]*\}/g, "1"))
    .flatMap((said) => linesIn(said.replaceAll("\\`", "`").replaceAll(/\$\{.*|, .*/g, ""), false))
    .filter(({ words }) => program.commands.some((command) => command.name() === words[0]));
  expect(lines.length).toBeGreaterThan(20);
  expect(await refusedOf(await Promise.all(lines.map(withoutSentence)))).toEqual([]);
});

const workflows = globSync("infra/nixos/.github/workflows/*.yaml", { cwd: root });

test("there are examples of workflows", () => {
  expect(workflows.length).toBeGreaterThan(1);
});

test.each(workflows)("%s is one step with a command that there is, and does not run here", async (file) => {
  const lines = readPage(file)
    .split("\n")
    .filter((line) => !/^ *#/.test(line));
  const steps = lines.flatMap((line) => /^ +- run: (?<command>.+)$/.exec(line)?.groups?.["command"] ?? []);
  expect(steps).toHaveLength(1);
  expect(lines.filter((line) => /\buses:|\$\{\{|\t/.test(line))).toEqual([]);
  const commands = commandLines(`\`\`\`sh\n${steps.join("\n")}\n\`\`\``);
  expect(commands).toHaveLength(1);
  expect(await refusedOf(commands)).toEqual([]);
  expect([".github/workflows", ".gitea/workflows"].filter((path) => existsSync(join(root, path)))).toEqual(
    [],
  );
});

test("a command line that cannot be run would be noticed", async () => {
  const page = [
    "```sh\nhomelab-deploy --nkey a.nk nats setup \\\n  --check --chekc  # look\nhomelab-deploy logs\n```",
    "`homelab-deploy biuld`, `homelab-deploy logs`, `homelab-deploy build --timeout 5`, `homelab-deploy builds show <id>`",
  ].join("\n");
  const lines = commandLines(page);
  expect(lines.map(({ text }) => text)).toEqual([
    "--nkey a.nk nats setup --check --chekc",
    "logs",
    "biuld",
    "logs",
    "build --timeout 5",
    "builds show ID",
  ]);
  const refused = await refusedOf(lines);
  expect(refused.map((line) => line.split(":")[0])).toEqual([
    "--nkey a.nk nats setup --check --chekc",
    "logs",
    "biuld",
    "build --timeout 5",
  ]);
});

/** For packages, scripts and units. */
const internalCommands = ["complete", "manual", "package", "work", "answer", "check-policy"];

test("README.md lists every command, with its arguments", () => {
  const leaves = (command: Pick<Command, "commands">, path: string): string[] =>
    command.commands.flatMap((each) => {
      const name = `${path} ${each.name()}`;
      if (each.commands.length > 0) return leaves(each, name);
      const args = each.registeredArguments.map((argument) => {
        const shown = argument.variadic ? `${argument.name()}...` : argument.name();
        return argument.required ? ` <${shown}>` : ` [${shown}]`;
      });
      return internalCommands.includes(each.name()) ? [] : [`${name}${args.join("")}`];
    });
  const listed = tableRows(sectionOf(readPage("README.md"), "Commands")).map(([command]) => codeOf(command));
  expect(listed).toEqual(leaves(program, "homelab-deploy"));
});
