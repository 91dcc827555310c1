import { createHash } from 'node:crypto'
import type { DigestOf } from '../../certificates/cms.js'
import type { DetachedContent } from '../evidence.js'

/** Digests of the one thing that was handed in beside a signature; null where it is none, or several. */
export function detachedDigest(contents: readonly DetachedContent[]): DigestOf {
  const [only, another] = contents
  return (hash) => {
    if (!only || another) return null
    return digestOfContent(only, hash)
  }
}

export function digestOfContent({ bytes, digests }: DetachedContent, hash: string): Buffer | null {
  if (bytes) return createHash(hash).update(bytes).digest()
  return digests.get(hash) ?? null
}

/** The content that a signature refers to by a name or URI; the only one there is has any name. */
export function findContent(
  contents: readonly DetachedContent[],
  name: string,
): DetachedContent | null {
  const [only, another] = contents
  const isOnly = only !== undefined && another === undefined
  const named = contents.find((each) => each.name === name)
  return named ?? (isOnly && only.name === null ? only : null)
}
