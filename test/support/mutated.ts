import fc from 'fast-check'

/** Bytes that were good until somebody changed, cut out, doubled or put in a few. */
export function mutated(original: Buffer): fc.Arbitrary<Buffer> {
  const at = fc.nat({ max: Math.max(0, original.length - 1) })
  const change = fc.oneof(
    fc.record({ at, kind: fc.constant('set' as const), byte: fc.nat({ max: 255 }) }),
    fc.record({ at, kind: fc.constant('cut' as const), byte: fc.nat({ max: 20 }) }),
    fc.record({ at, kind: fc.constant('double' as const), byte: fc.nat({ max: 20 }) }),
    fc.record({ at, kind: fc.constant('end' as const), byte: fc.constant(0) }),
  )
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) =>
    changes.reduce((bytes, { at, kind, byte }) => {
      const [before, behind] = [bytes.subarray(0, at), bytes.subarray(at)]
      switch (kind) {
        case 'set':
          return Buffer.concat([before, Buffer.from([byte]), behind.subarray(1)])
        case 'cut':
          return Buffer.concat([before, behind.subarray(byte)])
        case 'double':
          return Buffer.concat([before, behind.subarray(0, byte), behind])
        case 'end':
          return before
      }
    }, Buffer.from(original)),
  )
}
