// How Node is called for people: what is measured without these flags is another program.
import { readFileSync } from "node:fs";

const program = new URL("../../src/cli/main.ts", import.meta.url);
const [first = ""] = readFileSync(program, "utf8").split("\n", 1);

export const nodeFlags: readonly string[] = first.split(" ").filter((word) => word.startsWith("--"));
