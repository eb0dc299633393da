import { Help } from "@commander-js/extra-typings";
import { expect, test } from "vitest";
import { completeWords } from "./arguments/complete-words.ts";
import { namedInstead } from "./arguments/unknown-command.ts";
import { createProgram } from "./program.ts";
import { parseCommand } from "../../test/support/parse-command.ts";

test("help lists each command as its own file declares it", async () => {
  const { program, whole } = createProgram(() => {});
  const listed = program.createHelp();
  const usual = new Help();
  const before = program.commands.map((command) => listed.subcommandTerm(command));
  await whole();
  expect(before).toEqual(program.commands.map((command) => usual.subcommandTerm(command)));
});

test("a command is declared once, however often the whole is asked for", async () => {
  const { program, whole } = createProgram(() => {});
  await whole();
  const count = (): number => program.commands.flatMap((each) => [...each.commands, ...each.options]).length;
  const once = count();
  await whole();
  expect(count()).toBe(once);
});

test.each([
  [["history"], "builds list"],
  [["follow", "01J"], "logs ID --follow"],
  [["cancel"], "builds cancel ID"],
  [["apply", "web01"], "homelab-deploy deploy HOST"],
  [["bulid"], "Did you mean build?"],
  [["history", "--help"], "builds list"],
  [["bulid", "--help"], "Did you mean build?"],
  [["help", "bulid"], "Did you mean build?"],
  [["builds", "lst", "--help"], "Did you mean list?"],
  [["cache", "verfy"], "Did you mean verify?"],
])("%j is no command, and says what to try", async (args, advice) => {
  const { said, exitCode } = await parseCommand(args);
  expect(said).toContain("error: unknown command");
  expect(said).toContain(advice);
  expect(said).not.toContain("Usage:");
  expect(exitCode).not.toBe(0);
});

test.each([
  [["--help"]],
  [["help"]],
  [["builds", "--help"]],
  [["help", "cache"]],
  [["build", "web01", "--help"]],
])("%j is help, and no error", async (args) => {
  const { said, exitCode } = await parseCommand(args);
  expect(said).toContain("Usage:");
  expect(exitCode).toBe(0);
});

test("what is named instead of a command is one", async () => {
  const { whole } = createProgram(() => {});
  const program = await whole();
  for (const instead of namedInstead.filter((each) => !each.startsWith("-"))) {
    const words = instead.split(" ").filter((word) => /^[a-z]+$/.test(word) && word !== "last");
    let command = program.commands.find((each) => each.name() === words[0]);
    expect(command, instead).toBeDefined();
    if (words[1] !== undefined) command = command?.commands.find((each) => each.name() === words[1]);
    expect(command, instead).toBeDefined();
  }
});

test.each([
  [["builds", "01J"], "builds show ID"],
  [["update", "nixpkgs"], "--input NAME"],
  [["logs"], "`last` is the newest"],
  [["--server", "http://nats.lan", "builds"], "must be nats://host:port"],
  [["build", "--timeout", "5"], "must have a unit: 5s, 5m or 5h"],
  [["build", "--al"], "(see homelab-deploy build --help)"],
  [["hosts", "show"], "(see homelab-deploy hosts show --help)"],
  [["builds", "list", "--limit", "0"], "(see homelab-deploy builds list --help)"],
])("%j is wrong, and it is said what is meant", async (args, advice) => {
  const { said, exitCode } = await parseCommand(args);
  expect(said).toMatch(/^error: /);
  expect(said).toContain(advice);
  expect(exitCode).not.toBe(0);
});

test("what completes a line loads only the commands in it, and offers the same", async () => {
  const names = { hosts: ["web01"], repos: ["fleet"], builds: [], rollouts: [] };
  const everything = await createProgram(() => {}).whole();
  for (const line of [
    "",
    "bu",
    "hosts ",
    "hosts show w",
    "--config x builds ",
    "help ho",
    "cache --",
    "build --repo ",
  ]) {
    const words = line.split(" ");
    const { program, whole } = createProgram(() => {});
    expect(completeWords(await whole(words), words, names), line).toEqual(
      completeWords(everything, words, names),
    );
    const loaded = program.commands.filter((each) => each.commands.length + each.options.length > 0);
    expect(loaded.length).toBeLessThanOrEqual(1);
  }
});
