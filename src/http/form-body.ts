import type { Context } from 'koa'
import { MalformedRequestError } from '../errors.js'
import { readBody } from './body.js'

/** The fields of a posted form. @throws {MalformedRequestError} also when a field comes twice */
export async function readForm(
  ctx: Context,
  limit: number,
): Promise<Readonly<Partial<Record<string, string>>>> {
  if (!ctx.is('application/x-www-form-urlencoded')) throw new MalformedRequestError('media type')
  const fields = new URLSearchParams(await readBody(ctx, limit))
  const form = Object.create(null) as Record<string, string>
  for (const [name, value] of fields) {
    if (name in form) throw new MalformedRequestError('field twice')
    form[name] = value
  }
  return form
}
