import busboy from 'busboy'
import type { Context } from 'koa'
import { MalformedRequestError, RequestTooLargeError } from '../errors.js'

/** A file that was chosen on a page. */
export interface UploadedFile {
  readonly name: string
  readonly bytes: Buffer
}

export interface Upload {
  readonly fields: ReadonlyMap<string, string>
  /** By name of the field; fields in which no file was chosen are not there. */
  readonly files: ReadonlyMap<string, UploadedFile>
}

const LIMITS = { fields: 5, fieldSize: 1000, fieldNameSize: 100, files: 2, parts: 7 }

/** Reads a form with files, counting their bytes. @throws {MalformedRequestError} @throws {RequestTooLargeError} */
export function readUpload(ctx: Context, fileSize: number): Promise<Upload> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) => {
      // What is still coming is not read: the connection ends with the answer.
      ctx.set('Connection', 'close')
      ctx.req.unpipe()
      ctx.req.resume()
      reject(error)
    }
    const malformed = (cause?: unknown) => refuse(new MalformedRequestError('form', { cause }))
    const fields = new Map<string, string>()
    const files = new Map<string, UploadedFile>()
    let parser: busboy.Busboy
    try {
      const limits = { ...LIMITS, fileSize }
      parser = busboy({ headers: ctx.req.headers, limits, defParamCharset: 'utf8' })
    } catch (error) {
      malformed(error)
      return
    }
    parser.on('field', (name, value, { nameTruncated, valueTruncated }) => {
      if (nameTruncated || valueTruncated || fields.has(name)) malformed()
      else fields.set(name, value)
    })
    parser.on('file', (name, stream, { filename }) => {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('limit', () => refuse(new RequestTooLargeError('file')))
      // A form that ends within a file is a failure of its stream, too; unheard, it would end the process.
      stream.on('error', malformed)
      stream.on('close', () => {
        const bytes = Buffer.concat(parts)
        if (files.has(name)) malformed()
        else if (filename || bytes.length > 0) files.set(name, { name: filename ?? '', bytes })
      })
    })
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      parser.on(limit, () => malformed())
    }
    parser.on('error', malformed)
    ctx.req.on('aborted', malformed)
    parser.on('close', () => resolve({ fields, files }))
    ctx.req.pipe(parser)
  })
}
