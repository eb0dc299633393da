import { Help } from "@commander-js/extra-typings";
import { expect, test } from "vitest";
import { createProgram } from "./program.ts";

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
