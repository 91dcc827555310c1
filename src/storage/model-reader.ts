import { dateOf, type StoredDate } from './database.js'

type MembersOf<Model, Kind> = {
  [Name in keyof Model]: NonNullable<Model[Name]> extends Kind ? Name : never
}[keyof Model]

/** A row of a model as `Database.rows` returns it: SQLite knows neither times nor truth values. */
export type Stored<Model> = {
  [Name in keyof Model]: NonNullable<Model[Name]> extends Date
    ? StoredDate | (null extends Model[Name] ? null : never)
    : NonNullable<Model[Name]> extends boolean
      ? boolean | number
      : Model[Name]
}

/** Makes of a row what Prisma would. Every member that databases keep differently has to be named. */
export function modelReader<Model>(
  kinds: Record<MembersOf<Model, Date>, 'date'> & Record<MembersOf<Model, boolean>, 'boolean'>,
): (row: Stored<Model>) => Model {
  const names = Object.entries<string>(kinds)
  return (row) => {
    const read: Record<string, unknown> = { ...row }
    for (const [name, kind] of names) {
      read[name] = kind === 'date' ? dateOf(read[name] as StoredDate | null) : Boolean(read[name])
    }
    return read as Model
  }
}
