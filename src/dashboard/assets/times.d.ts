export declare function spanText(total: number): string;
export declare function agoText(seconds: number): string;
