// Lists of what a user may publish and subscribe to, and how they are put together.

/** For the server an empty list allows everything. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** All lists combined, with each subject once. */
export const both = (...lists: readonly Permissions[]): Permissions => ({
  publish: [...new Set(lists.flatMap(({ publish }) => publish))],
  subscribe: [...new Set(lists.flatMap(({ subscribe }) => subscribe))],
});

export const api = "$JS.API";

/** `next_by_subj` asks on the stream's own subject, `last_by_subj` has the wanted subject behind it. */
export const directGet = (stream: string): readonly string[] => [
  `${api}.DIRECT.GET.${stream}`,
  `${api}.DIRECT.GET.${stream}.>`,
];

/** Only the newest message of these subjects. The bare form would open the whole stream. */
export const directGetLast = (stream: string, subject: string): string =>
  `${api}.DIRECT.GET.${stream}.${subject}`;
