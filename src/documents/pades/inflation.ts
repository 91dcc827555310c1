import { PdfStream } from '@libpdf/core'
import { constants, inflateSync } from 'node:zlib'
import { UnfitDocumentError } from '../../errors.js'

/** Of what signing has to unpack at all: cross-reference and object streams, certificates, CRLs. */
const LARGEST_INFLATED_BYTES = 64 * 1024 * 1024

let isLimited = false

/**
 * Has streams of documents unpacked by zlib, up to a limit. The library would fill the memory, which
 * no limit of a thread's heap prevents. This changes its class for the whole thread.
 */
export function limitInflation(): void {
  if (isLimited) return
  isLimited = true
  const getDecodedData: unknown = Reflect.get(PdfStream.prototype, 'getDecodedData')
  PdfStream.prototype.getDecodedData = function decoded(this: PdfStream) {
    return decode(this, () => (getDecodedData as () => Uint8Array).call(this))
  }
}

function decode(stream: PdfStream, byLibrary: () => Uint8Array): Uint8Array {
  const filters = filtersOf(stream)
  if (filters.length === 0) return stream.data
  if (filters.length > 1 || filters[0] !== 'FlateDecode') {
    throw new UnfitDocumentError(`The PDF packs its structure by ${filters.join(', ')}`)
  }
  const inflated = inflate(stream.data)
  // Predictors are the library's; by now it is known how much it will unpack.
  return stream.has('DecodeParms') ? byLibrary() : inflated
}

function filtersOf(stream: PdfStream): string[] {
  const filter = stream.get('Filter')
  if (filter?.type === 'name') return [filter.value]
  if (filter?.type !== 'array') return []
  return [...filter].map((item) => (item.type === 'name' ? item.value : 'something unknown'))
}

function inflate(data: Uint8Array): Uint8Array {
  try {
    return inflateSync(data, {
      maxOutputLength: LARGEST_INFLATED_BYTES,
      finishFlush: constants.Z_SYNC_FLUSH,
    })
  } catch (error) {
    throw new UnfitDocumentError('The PDF has a packed part that is damaged or too large', {
      cause: error,
    })
  }
}
