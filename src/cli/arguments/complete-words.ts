// What could come next on an unfinished command line. Pure: the tree of commands and the names are arguments.

/** The part of a commander command that completion needs. */
export interface CommandTree {
  readonly commands: readonly CommandTree[];
  readonly options: readonly {
    readonly long?: string;
    readonly short?: string;
    readonly required?: boolean;
    /** Its value may be left out. */
    readonly optional?: boolean;
    readonly argChoices?: readonly string[];
  }[];
  readonly registeredArguments: readonly {
    readonly argChoices?: readonly string[];
    name(): string;
    readonly variadic: boolean;
  }[];
  name(): string;
}

/** Names that earlier commands have seen. */
export interface KnownNames {
  readonly hosts: readonly string[];
  readonly repos: readonly string[];
  readonly builds: readonly string[];
  readonly rollouts: readonly string[];
}

/** Candidates for the last of the words, which may be empty. */
export function completeWords(root: CommandTree, words: readonly string[], names: KnownNames): string[] {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  let command = root;
  let positional = 0;
  for (let i = 0; i < before.length; i++) {
    const word = before[i] ?? "";
    if (word.startsWith("-")) {
      if (findOption(root, command, word)?.required === true) i++;
      continue;
    }
    const next = command.commands.find((sub) => sub.name() === word);
    if (next !== undefined) command = next;
    else positional++;
  }
  const previous = before.at(-1) ?? "";
  const option = previous.startsWith("-") ? findOption(root, command, previous) : undefined;
  const takesValue = option?.required === true || (option?.optional === true && !current.startsWith("-"));
  const candidates = takesValue
    ? valuesOf(option.argChoices, option.long?.slice(2) ?? "", names)
    : current.startsWith("-")
      ? [...command.options, ...root.options].flatMap(({ long }) => (long === undefined ? [] : [long]))
      : [...command.commands.map((sub) => sub.name()), ...argumentValues(command, positional, names)];
  return [...new Set(candidates)].filter((candidate) => candidate.startsWith(current)).toSorted();
}

function findOption(
  root: CommandTree,
  command: CommandTree,
  word: string,
): CommandTree["options"][number] | undefined {
  return [...command.options, ...root.options].find(({ long, short }) => long === word || short === word);
}

function argumentValues(command: CommandTree, position: number, names: KnownNames): readonly string[] {
  const last = command.registeredArguments.at(-1);
  const argument = command.registeredArguments[position] ?? (last?.variadic === true ? last : undefined);
  return argument === undefined ? [] : valuesOf(argument.argChoices, argument.name(), names);
}

function valuesOf(
  choices: readonly string[] | undefined,
  what: string,
  names: KnownNames,
): readonly string[] {
  if (choices !== undefined) return choices;
  if (what === "host" || what === "exclude") return names.hosts;
  if (what === "repo") return names.repos;
  if (what === "rollout") return ["last", ...names.rollouts];
  return what === "id" || what === "failed" || what === "build" ? ["last", ...names.builds] : [];
}
