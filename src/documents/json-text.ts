/** Unrolled, so that text of many megabytes takes no room on the stack. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/gs

export type JsonFlaw = 'nesting' | 'member twice' | 'JSON'

/**
 * What makes a text mean different things to different parsers, or costs them too much: a member twice in
 * one object (parsers differ on which one counts), `__proto__`, deep nesting. Looks at names and brackets
 * only; whether the rest is JSON is for the parser to say.
 */
export function jsonFlaw(text: string, maxDepth: number): JsonFlaw | null {
  const open: (Set<string> | null)[] = []
  let candidate: string | null = null
  for (const [token] of text.matchAll(TOKEN)) {
    switch (token) {
      case '{':
      case '[':
        if (open.push(token === '{' ? new Set() : null) > maxDepth) return 'nesting'
        break
      case '}':
      case ']':
        open.pop()
        break
      case ':': {
        const flaw = candidate === null ? null : addMember(open.at(-1) ?? null, candidate)
        if (flaw !== null) return flaw
        candidate = null
        break
      }
      case ',':
        candidate = null
        break
      default:
        candidate = token
    }
  }
  return null
}

function addMember(members: Set<string> | null, quoted: string): JsonFlaw | null {
  let name: string
  try {
    name = JSON.parse(quoted) as string
  } catch {
    return 'JSON'
  }
  if (name === '__proto__' || members?.has(name)) return 'member twice'
  members?.add(name)
  return null
}
