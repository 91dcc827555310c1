export interface ConfigProblem {
  /** Dotted path of the setting. */
  readonly setting: string
  readonly problem: string
}

/** Reads the text of a setting; null where there is none, or no text. */
export type ReadText = (setting: string) => string | null

export function textAt(config: unknown, setting: string): string | null {
  const value = setting
    .split('.')
    .reduce<unknown>(
      (part, name) => (part as Record<string, unknown> | null | undefined)?.[name],
      config,
    )
  return typeof value === 'string' ? value : null
}
