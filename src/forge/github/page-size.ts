/** The most that GitHub gives. */
export const pageSize = { parameter: "per_page", items: 100 } as const;
