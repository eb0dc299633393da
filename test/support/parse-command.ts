// A command line as the real parser takes it: nothing is run.
import { CommanderError } from "@commander-js/extra-typings";
import { createProgram } from "../../src/cli/program.ts";

export interface Parsed {
  /** Whether there is something to run. */
  readonly isChosen: boolean;
  /** Help, or what is wrong. */
  readonly said: string;
  readonly exitCode: number;
}

export async function parseCommand(words: readonly string[]): Promise<Parsed> {
  let [said, isChosen] = ["", false];
  const { program, whole } = createProgram(() => (isChosen = true));
  // As runProgram does it.
  if (words.includes("help")) await whole();
  program.configureOutput({ writeErr: (text) => (said += text), writeOut: (text) => (said += text) });
  for (const command of program.commands) command.configureOutput(program.configureOutput());
  try {
    await program.parseAsync([...words], { from: "user" });
    return { isChosen, said, exitCode: 0 };
  } catch (error) {
    if (error instanceof CommanderError) return { isChosen, said, exitCode: error.exitCode };
    throw error;
  }
}
