import { expect, test } from "vitest";
import { completeWords } from "./complete-words.ts";
import { createProgram } from "../program.ts";

const names = {
  hosts: ["testvm01", "web01"],
  repos: ["nixos"],
  builds: ["01JD0000000000000000000000"],
  rollouts: ["01JR0000000000000000000000"],
};
const program = await createProgram(() => undefined).whole();
const complete = (...words: string[]): string[] => completeWords(program, words, names);

test.each([
  [["bu"], ["build", "builder", "builds"]],
  [
    ["builds", ""],
    ["cancel", "list", "show"],
  ],
  [["build", "te"], ["testvm01"]],
  [["build", "testvm01", "w"], ["web01"]],
  [["build", "--repo", ""], ["nixos"]],
  [
    ["build", "--priority", ""],
    ["batch", "interactive"],
  ],
  [["build", "--repo", "nixos", "te"], ["testvm01"]],
  [["logs", "l"], ["last"]],
  [["logs", "last", "we"], ["web01"]],
  [
    ["rollouts", "pause", ""],
    ["01JR0000000000000000000000", "last"],
  ],
  [
    ["deploy", "web01", "--build", ""],
    ["01JD0000000000000000000000", "last"],
  ],
  [["deploy", "--role", "web", "te"], ["testvm01"]],
  [
    ["completion", ""],
    ["bash", "fish", "zsh"],
  ],
  [["build", "--all", "--det"], ["--detach"]],
  [["--color", "ne"], ["never"]],
  [["nonsense", "te"], []],
])("%j", (words, expected) => {
  expect(complete(...words)).toEqual(expected);
});
