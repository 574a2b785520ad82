/** A function's code as the stack takes it. */

import { AssetHashType, DockerImage } from 'aws-cdk-lib'
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda'
import { type BundledFolder, bundleFunction, sourceFolder } from './bundle.ts'

export interface FunctionCode {
  folder: BundledFolder
  /** Puts more files beside the bundle. */
  filesBeside?(outputFolder: string): void
}

/** @returns code whose handler is `index.handler`. CDK bundles it only for a stack that is to be deployed */
export function codeOf({ folder, filesBeside }: FunctionCode): AssetCode {
  return Code.fromAsset(sourceFolder(folder), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // CDK asks for one, to fall back on if there were no local way.
      image: DockerImage.fromRegistry('none'),
      local: {
        tryBundle(outputFolder) {
          bundleFunction(folder, outputFolder)
          filesBeside?.(outputFolder)
          return true
        },
      },
    },
  })
}
