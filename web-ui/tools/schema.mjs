// Writes src/api/schema.ts: the TypeScript of the schemas in docs/openapi.json, which the daemon writes about itself.
// Small enough to be read, so that no generator with dependencies of its own is needed. `npm run check` runs it first, so the
// types checked against are never older than the document; schema.ts is not kept in Git.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const document = join(here, '..', '..', 'docs', 'openapi.json')
const output = join(here, '..', 'src', 'api', 'schema.ts')

const primitives = { string: 'string', integer: 'number', number: 'number', boolean: 'boolean', null: 'null' }

/** A JSON Schema (the part of 2020-12 that utoipa writes) as a type. What is not known here is an error, never `any`. */
function typeOf(schema) {
  if (schema.$ref) return schema.$ref.replace('#/components/schemas/', '')
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (schema.oneOf) return schema.oneOf.map(typeOf).join(' | ')
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type })).join(' | ')
  if (schema.type === 'array') {
    const item = typeOf(schema.items)
    return item.includes('|') ? `(${item})[]` : `${item}[]`
  }
  if (schema.type === 'object' && schema.additionalProperties) {
    return `Record<string, ${typeOf(schema.additionalProperties)}>`
  }
  const primitive = primitives[schema.type]
  if (primitive === undefined) throw new Error(`no type is known for ${JSON.stringify(schema)}`)
  return primitive
}

const comment = (text, indent) =>
  text ? `${indent}/** ${text.replaceAll('*/', '* /').replaceAll('\n', ' ')} */\n` : ''

function interfaceOf(name, schema) {
  if (!schema.properties) return `${comment(schema.description, '')}export type ${name} = ${typeOf(schema)}\n`
  const required = new Set(schema.required ?? [])
  const fields = Object.entries(schema.properties).map(
    ([key, field]) => `${comment(field.description, '  ')}  ${key}${required.has(key) ? '' : '?'}: ${typeOf(field)}\n`,
  )
  return `${comment(schema.description, '')}export interface ${name} {\n${fields.join('')}}\n`
}

function generate(openapi) {
  const schemas = Object.entries(openapi.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1))
  return `// Written by tools/schema.mjs from docs/openapi.json: change the daemon, not this file.\n\n${schemas
    .map(([name, schema]) => interfaceOf(name, schema))
    .join('\n')}`
}

writeFileSync(output, generate(JSON.parse(readFileSync(document, 'utf8'))))
