const lastSecond = Date.parse("9999-12-31T00:00:00Z") / 1000;

/** The time of a commit as `%ct` prints it. What somebody's clock said may be beyond what a date can be. */
export const timeOfCommit = (seconds: string): Date => new Date(Math.min(Number(seconds), lastSecond) * 1000);
