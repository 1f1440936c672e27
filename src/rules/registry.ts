import { checkpointShapeMismatch } from './checkpoint/checkpointShapeMismatch.ts';
import { bindingWithoutEffect } from './file/bindingWithoutEffect.ts';
import { duplicateKey } from './file/duplicateKey.ts';
import { ignoredKey } from './file/ignoredKey.ts';
import { impossibleSize } from './file/impossibleSize.ts';
import { misspelledKey } from './file/misspelledKey.ts';
import { quotedNumber } from './file/quotedNumber.ts';
import { syntaxError } from './file/syntaxError.ts';
import { tokenOutsideVocabulary } from './file/tokenOutsideVocabulary.ts';
import { unusedSuppression } from './file/unusedSuppression.ts';
import { attentionWidthIsNotModelWidth } from './heads/attentionWidthIsNotModelWidth.ts';
import { batchFirst } from './heads/code/batchFirst.ts';
import { causalDiagonal } from './heads/code/causalDiagonal.ts';
import { causalInverted } from './heads/code/causalInverted.ts';
import { causalMaskNotApplied } from './heads/code/causalMaskNotApplied.ts';
import { causalOffset } from './heads/code/causalOffset.ts';
import { causalWithMask } from './heads/code/causalWithMask.ts';
import { choicesAxis } from './heads/code/choicesAxis.ts';
import { dropoutOnScores } from './heads/code/dropoutOnScores.ts';
import { keysOfOtherTokens } from './heads/code/keysOfOtherTokens.ts';
import { maskAfterSoftmax } from './heads/code/maskAfterSoftmax.ts';
import { maskFill } from './heads/code/maskFill.ts';
import { maskPolarity } from './heads/code/maskPolarity.ts';
import { noScale } from './heads/code/noScale.ts';
import { queriesTimesValues } from './heads/code/queriesTimesValues.ts';
import { scaleByOtherWidth } from './heads/code/scaleByOtherWidth.ts';
import { scaledTwice } from './heads/code/scaledTwice.ts';
import { scaleInverted } from './heads/code/scaleInverted.ts';
import { scoresOverTokens } from './heads/code/scoresOverTokens.ts';
import { softmaxAxis } from './heads/code/softmaxAxis.ts';
import { tupleAsTensor } from './heads/code/tupleAsTensor.ts';
import { weightsTimesKeys } from './heads/code/weightsTimesKeys.ts';
import { headsDoNotDivideWidth } from './heads/headsDoNotDivideWidth.ts';
import { keyValueHeadsDoNotDivideHeads } from './heads/keyValueHeadsDoNotDivideHeads.ts';
import { keyValueHeadsExceedHeads } from './heads/keyValueHeadsExceedHeads.ts';
import { latentAttentionWidths } from './heads/latentAttentionWidths.ts';
import { latentAttentionWithSharedHeads } from './heads/latentAttentionWithSharedHeads.ts';
import { linearAttentionHeads } from './heads/linearAttentionHeads.ts';
import { multiQueryFlagsDisagree } from './heads/multiQueryFlagsDisagree.ts';
import { stateSpaceHeads } from './heads/stateSpaceHeads.ts';
import { flashHeadDim } from './kernels/flashHeadDim.ts';
import { pagedHeadDim } from './kernels/pagedHeadDim.ts';
import { vocabularyOffTensorCores } from './kernels/vocabularyOffTensorCores.ts';
import { widthOffTensorCores } from './kernels/widthOffTensorCores.ts';
import { finalNormMissing } from './norm/code/finalNormMissing.ts';
import { missingResidual } from './norm/code/missingResidual.ts';
import { normFlagContradicted } from './norm/code/normFlagContradicted.ts';
import { normFlagNotRead } from './norm/code/normFlagNotRead.ts';
import { normNeverUsed } from './norm/code/normNeverUsed.ts';
import { normOfNorm } from './norm/code/normOfNorm.ts';
import { normOverAnotherAxis } from './norm/code/normOverAnotherAxis.ts';
import { residualCarriesNormed } from './norm/code/residualCarriesNormed.ts';
import { sharedNorm } from './norm/code/sharedNorm.ts';
import { sublayersDisagree } from './norm/code/sublayersDisagree.ts';
import { deepPostNorm } from './norm/deepPostNorm.ts';
import { finalNormRemoved } from './norm/finalNormRemoved.ts';
import { normEpsilon } from './norm/normEpsilon.ts';
import { placementContradicts } from './norm/placementContradicts.ts';
import { expertsDoNotSplit } from './parallelism/expertsDoNotSplit.ts';
import { feedForwardDoesNotSplit } from './parallelism/feedForwardDoesNotSplit.ts';
import { headsDoNotSplit } from './parallelism/headsDoNotSplit.ts';
import { keyValueHeadsDoNotSplit } from './parallelism/keyValueHeadsDoNotSplit.ts';
import { layersDoNotSplit } from './parallelism/layersDoNotSplit.ts';
import { quantisedWeightsDoNotSplit } from './parallelism/quantisedWeightsDoNotSplit.ts';
import { sequenceDoesNotSplit } from './parallelism/sequenceDoesNotSplit.ts';
import { vocabularyDoesNotSplit } from './parallelism/vocabularyDoesNotSplit.ts';
import { cacheAxis } from './positions/code/cacheAxis.ts';
import { cacheShape } from './positions/code/cacheShape.ts';
import { positionsLost } from './positions/code/positionsLost.ts';
import { positionTableTooSmall } from './positions/code/positionTableTooSmall.ts';
import { rotaryOnOne } from './positions/code/rotaryOnOne.ts';
import { rotaryOnValues } from './positions/code/rotaryOnValues.ts';
import { rotaryTablesSwapped } from './positions/code/rotaryTablesSwapped.ts';
import { rotaryWidth } from './positions/code/rotaryWidth.ts';
import { conflictingRopeSettings } from './positions/conflictingRopeSettings.ts';
import { layerIndexOutOfRange } from './positions/layerIndexOutOfRange.ts';
import { layerTypes } from './positions/layerTypes.ts';
import { oddRotaryWidth } from './positions/oddRotaryWidth.ts';
import { positionOffset } from './positions/positionOffset.ts';
import { ropeFactorLength } from './positions/ropeFactorLength.ts';
import { ropeScalingKeyMissing } from './positions/ropeScalingKeyMissing.ts';
import { ropeScalingOutOfOrder } from './positions/ropeScalingOutOfOrder.ts';
import { ropeSections } from './positions/ropeSections.ts';
import { rotaryWidthExceedsHead } from './positions/rotaryWidthExceedsHead.ts';
import { scalingFactorOffContext } from './positions/scalingFactorOffContext.ts';
import { sequenceExceedsPositions } from './positions/sequenceExceedsPositions.ts';
import { slidingWindow } from './positions/slidingWindow.ts';
import { unknownRopeType } from './positions/unknownRopeType.ts';
import { argumentsExchanged } from './projections/code/argumentsExchanged.ts';
import { attentionOverHeads } from './projections/code/attentionOverHeads.ts';
import { axisDoesNotExist } from './projections/code/axisDoesNotExist.ts';
import { callDoesNotFit } from './projections/code/callDoesNotFit.ts';
import { commentContradictsCode } from './projections/code/commentContradictsCode.ts';
import { ffnWidthsDiffer } from './projections/code/ffnWidthsDiffer.ts';
import { gateAndUpWidthsDiffer } from './projections/code/gateAndUpWidthsDiffer.ts';
import { headAxesSwapped } from './projections/code/headAxesSwapped.ts';
import { headsMergedWithoutTranspose } from './projections/code/headsMergedWithoutTranspose.ts';
import { headsSplitWithoutTranspose } from './projections/code/headsSplitWithoutTranspose.ts';
import { joinedTensorsDoNotFit } from './projections/code/joinedTensorsDoNotFit.ts';
import { keyValueHeadsNotRepeated } from './projections/code/keyValueHeadsNotRepeated.ts';
import { keyValueHeadsTiled } from './projections/code/keyValueHeadsTiled.ts';
import { keyValueLengthsDiffer } from './projections/code/keyValueLengthsDiffer.ts';
import { layerFedWrongWidth } from './projections/code/layerFedWrongWidth.ts';
import { normWidthDiffers } from './projections/code/normWidthDiffers.ts';
import { operandsDoNotBroadcast } from './projections/code/operandsDoNotBroadcast.ts';
import { outputProjectionWidth } from './projections/code/outputProjectionWidth.ts';
import { productDoesNotFit } from './projections/code/productDoesNotFit.ts';
import { projectionIsNotHeadsTimesHeadDim } from './projections/code/projectionIsNotHeadsTimesHeadDim.ts';
import { projectionNotApplied } from './projections/code/projectionNotApplied.ts';
import { queryKeyWidthsDiffer } from './projections/code/queryKeyWidthsDiffer.ts';
import { residualOperandRepeated } from './projections/code/residualOperandRepeated.ts';
import { residualWidthDiffers } from './projections/code/residualWidthDiffers.ts';
import { sizesFailOwnCheck } from './projections/code/sizesFailOwnCheck.ts';
import { splitDoesNotAddUp } from './projections/code/splitDoesNotAddUp.ts';
import { tiedWeightShape } from './projections/code/tiedWeightShape.ts';
import { viewDoesNotFit } from './projections/code/viewDoesNotFit.ts';
import { viewOfTransposed } from './projections/code/viewOfTransposed.ts';
import { crossAttentionWidth } from './projections/crossAttentionWidth.ts';
import { embeddingWidth } from './projections/embeddingWidth.ts';
import { encoderDecoderWidths } from './projections/encoderDecoderWidths.ts';
import { expertGroups } from './projections/expertGroups.ts';
import { expertsPerTokenExceedExperts } from './projections/expertsPerTokenExceedExperts.ts';
import { ffnWidth } from './projections/ffnWidth.ts';
import { projectorWidth } from './projections/projectorWidth.ts';
import { tiedEmbeddings } from './projections/tiedEmbeddings.ts';
import type { Rule } from './rule.ts';

/** Every rule, by code. Docs pages, settings, the JSON schema and SARIF metadata are generated from this list. */
export const rules: readonly Rule[] = [
  headsDoNotDivideWidth,
  keyValueHeadsDoNotDivideHeads,
  keyValueHeadsExceedHeads,
  attentionWidthIsNotModelWidth,
  latentAttentionWidths,
  latentAttentionWithSharedHeads,
  multiQueryFlagsDisagree,
  stateSpaceHeads,
  linearAttentionHeads,
  noScale,
  scaleByOtherWidth,
  scaleInverted,
  scaledTwice,
  softmaxAxis,
  maskAfterSoftmax,
  maskPolarity,
  causalDiagonal,
  causalInverted,
  causalOffset,
  causalWithMask,
  maskFill,
  weightsTimesKeys,
  queriesTimesValues,
  dropoutOnScores,
  batchFirst,
  tupleAsTensor,
  choicesAxis,
  causalMaskNotApplied,
  scoresOverTokens,
  keysOfOtherTokens,
  ffnWidth,
  embeddingWidth,
  expertsPerTokenExceedExperts,
  expertGroups,
  tiedEmbeddings,
  crossAttentionWidth,
  encoderDecoderWidths,
  projectorWidth,
  productDoesNotFit,
  layerFedWrongWidth,
  viewDoesNotFit,
  joinedTensorsDoNotFit,
  splitDoesNotAddUp,
  normWidthDiffers,
  operandsDoNotBroadcast,
  residualWidthDiffers,
  queryKeyWidthsDiffer,
  keyValueLengthsDiffer,
  keyValueHeadsNotRepeated,
  outputProjectionWidth,
  projectionIsNotHeadsTimesHeadDim,
  ffnWidthsDiffer,
  gateAndUpWidthsDiffer,
  axisDoesNotExist,
  viewOfTransposed,
  callDoesNotFit,
  headsMergedWithoutTranspose,
  headsSplitWithoutTranspose,
  headAxesSwapped,
  attentionOverHeads,
  keyValueHeadsTiled,
  residualOperandRepeated,
  tiedWeightShape,
  argumentsExchanged,
  sizesFailOwnCheck,
  projectionNotApplied,
  commentContradictsCode,
  placementContradicts,
  finalNormRemoved,
  deepPostNorm,
  normEpsilon,
  sublayersDisagree,
  residualCarriesNormed,
  missingResidual,
  finalNormMissing,
  normNeverUsed,
  sharedNorm,
  normOfNorm,
  normFlagContradicted,
  normOverAnotherAxis,
  normFlagNotRead,
  oddRotaryWidth,
  rotaryWidthExceedsHead,
  unknownRopeType,
  ropeScalingKeyMissing,
  ropeScalingOutOfOrder,
  ropeFactorLength,
  ropeSections,
  conflictingRopeSettings,
  scalingFactorOffContext,
  sequenceExceedsPositions,
  slidingWindow,
  layerTypes,
  layerIndexOutOfRange,
  positionOffset,
  rotaryOnValues,
  rotaryOnOne,
  rotaryTablesSwapped,
  rotaryWidth,
  cacheShape,
  cacheAxis,
  positionTableTooSmall,
  positionsLost,
  flashHeadDim,
  pagedHeadDim,
  widthOffTensorCores,
  vocabularyOffTensorCores,
  headsDoNotSplit,
  keyValueHeadsDoNotSplit,
  feedForwardDoesNotSplit,
  vocabularyDoesNotSplit,
  expertsDoNotSplit,
  layersDoNotSplit,
  quantisedWeightsDoNotSplit,
  sequenceDoesNotSplit,
  checkpointShapeMismatch,
  misspelledKey,
  ignoredKey,
  duplicateKey,
  quotedNumber,
  impossibleSize,
  tokenOutsideVocabulary,
  syntaxError,
  unusedSuppression,
  bindingWithoutEffect,
];
