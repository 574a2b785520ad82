/** Intrinsics: what resolves, and that the rest is undefined rather than an error. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Fn::Sub is written like this

import { expect, test } from 'vitest'
import { type Assembly, createResolve, plainName } from '../../infra/local/template.ts'

const assembly: Assembly = {
  folder: '',
  resources: [],
  outputs: [{ stack: 'Data', name: 'Table', value: { Ref: 'Main' }, exportName: 'Data:Table' }],
  parameters: new Map([['App/Version', 'v6']]),
}
const identities = new Map([
  ['Data/Main', { ref: 'main-table', attributes: { Arn: 'arn:main' } }],
  ['App/Jobs', { ref: 'http://queue', attributes: { Arn: 'arn:jobs' } }],
])
const resolve = createResolve(assembly, identities)

test.for([
  [{ Ref: 'Jobs' }, 'http://queue'],
  [{ 'Fn::GetAtt': ['Jobs', 'Arn'] }, 'arn:jobs'],
  [{ 'Fn::GetAtt': 'Jobs.Arn' }, 'arn:jobs'],
  [{ Ref: 'Version' }, 'v6'],
  [{ Ref: 'AWS::Region' }, 'us-east-1'],
  [{ Ref: 'AWS::StackName' }, 'App'],
  [{ 'Fn::ImportValue': 'Data:Table' }, 'main-table'],
  [
    { 'Fn::Join': [':', ['a', { Ref: 'AWS::Partition' }, { 'Fn::GetAtt': ['Jobs', 'Arn'] }]] },
    'a:aws:arn:jobs',
  ],
  [{ 'Fn::Sub': 'x-${AWS::AccountId}-${Jobs.Arn}-${!Kept}' }, 'x-000000000000-arn:jobs-${Kept}'],
  [{ 'Fn::Sub': ['${name}/${Jobs}', { name: { Ref: 'Version' } }] }, 'v6/http://queue'],
  [{ list: [{ Ref: 'Jobs' }, 1, true] }, { list: ['http://queue', 1, true] }],
] as const)('%j resolves', ([value, expected]) => {
  expect(resolve('App', value)).toEqual(expected)
})

test.for([
  [{ Ref: 'Nowhere' }],
  [{ Ref: 'Main' }], // of another stack
  [{ 'Fn::GetAtt': ['Role', 'Arn'] }],
  [{ 'Fn::GetAtt': ['Jobs', 'Colour'] }],
  [{ 'Fn::GetAtt': null }],
  [{ 'Fn::ImportValue': 'Data:Nothing' }],
  [{ 'Fn::Join': ['', ['a', { Ref: 'Nowhere' }]] }],
  [{ 'Fn::Join': 'broken' }],
  [{ 'Fn::Sub': 'x-${Nowhere}' }],
  [{ 'Fn::If': ['Condition', 1, 2] }],
])('%j is undefined', ([value]) => {
  expect(resolve('App', value)).toBeUndefined()
})

test.for([
  ['Fetch84857CE8', 'Fetch'],
  ['Fetch', 'Fetch'],
  ['ABCDEF12', 'ABCDEF12'],
])('plainName(%s) is %s', ([id, name]) => {
  expect(plainName(String(id))).toBe(name)
})
