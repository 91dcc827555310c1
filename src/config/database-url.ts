/** `postgresql://…`, as opposed to `file:PATH` for SQLite. */
export function isPostgresql(url: string): boolean {
  return /^postgres(ql)?:/.test(url)
}

/** Path of a SQLite database. */
export function fileOf(url: string): string {
  return url.slice('file:'.length)
}
