/**
 * Writes docs/properties.md: every property the service is built to have, with the tests that would
 * falsify it; with --check, only tells whether it agrees. A test names a property in its title, as
 * `… (S8)` or `… (S8, S31)`; what a `describe` names holds for all in it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format } from 'prettier'
import ts from 'typescript'
import { PROPERTIES } from './properties-list.js'

const FILE = 'docs/properties.md'
const ROOT = join(import.meta.dirname, '..')

const INTRODUCTION = `# Properties and the tests that would falsify them

What must hold, whatever clients, signers, strangers and machines do. A property counts as held only
while its tests run. The tests named here are those that say in their title which property they are
about; this page is generated from them by \`npm run generate:docs\`. What none of them shows is said
below them.

`

/** What several implementations are held to; a test file of each runs it. */
const SHARED = new Set(['storage/contract.ts', 'support/key-custody.ts'])

interface NamedTest {
  readonly file: string
  readonly title: string
  readonly properties: readonly number[]
}

const TAGS = / \((S\d+(?:, S\d+)*)\)$/

/** Suites and tests of a file that name properties. */
function namedTests(file: string): NamedTest[] {
  const found: NamedTest[] = []
  const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), 99)
  const visit = (node: ts.Node, above: readonly string[]): void => {
    const title = titleOf(node, source)
    if (title === null) {
      ts.forEachChild(node, (child) => visit(child, above))
      return
    }
    const tags = TAGS.exec(title)?.[1]
    const full = [...above, title.replace(TAGS, '')]
    if (tags) {
      const properties = tags.split(', ').map((tag) => Number(tag.slice(1)))
      found.push({ file, title: full.join(' › '), properties })
    }
    ts.forEachChild(node, (child) => visit(child, full))
  }
  visit(source, [])
  return found
}

/** The title of a call of `it`, `describe` or one of its kind, with … for what is filled in; else null. */
function titleOf(node: ts.Node, source: ts.SourceFile): string | null {
  if (!ts.isCallExpression(node) || !ts.isIdentifier(node.expression)) return null
  const [title] = node.arguments
  if (!title || !/^(describe\w*|it)$/.test(node.expression.text)) return null
  if (ts.isStringLiteralLike(title)) return title.text
  if (!ts.isTemplateExpression(title)) return null
  return title
    .getText(source)
    .slice(1, -1)
    .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…')
}

function section(heading: string, from: number, to: number, tests: readonly NamedTest[]): string {
  const numbers = Array.from({ length: to - from + 1 }, (_, index) => from + index)
  const entries = numbers.map((number) => entry(number, tests))
  return `## ${heading}\n\n${entries.join('\n\n')}\n`
}

function entry(number: number, tests: readonly NamedTest[]): string {
  const property = PROPERTIES[number]
  if (!property) throw new Error(`S${number} has no text`)
  const own = tests.filter(({ properties }) => properties.includes(number))
  if (own.length === 0 && !property.open) throw new Error(`S${number} has no test any more`)
  const lines = [
    ...own.map(({ file, title }) => `- \`${file}\`: ${plain(title)}`),
    ...(property.open ? [`- *Not shown here:* ${property.open}`] : []),
  ]
  return `**S${number}.** ${property.text}\n\n${lines.join('\n')}`
}

function plain(title: string): string {
  return title.replaceAll(/[\\`*_<>[\]|]/g, '\\$&')
}

const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts') || SHARED.has(path))
  .map((path) => `test/${path}`)
  .toSorted()
const tests = files.flatMap(namedTests)
const unknown = tests.filter(({ properties }) => properties.some((each) => !PROPERTIES[each]))
if (unknown.length > 0) throw new Error(`No such property: ${JSON.stringify(unknown)}`)

const sections = [
  section('Activation and sole control', 1, 19, tests),
  section('Authentication of signers', 20, 29, tests),
  section('The authorization server', 30, 53, tests),
  section('Input, documents, outbound calls', 54, 69, tests),
  section('Exactly once, durability, audit', 70, 84, tests),
  section('Keys and PKCS#11', 85, 101, tests),
  section('Dependencies and operation', 102, 113, tests),
  section('Proof', 114, 119, tests),
]
const options = { parser: 'markdown', printWidth: 100 }
const text = await format(INTRODUCTION + sections.join('\n'), options)
if (!process.argv.includes('--check')) {
  writeFileSync(join(ROOT, FILE), text)
} else if (readFileSync(join(ROOT, FILE), 'utf8') !== text) {
  process.stderr.write(`${FILE} is not what the tests say; run: npm run generate:docs\n`)
  process.exitCode = 1
}
