/** `sluice/training`: the loop and its parts. */
export { type EvaluateOptions, type Evaluation, evaluate } from './training/evaluate.js';
export { ExampleTrainer, type ExampleTrainerOptions, type Objective } from './training/example-trainer.js';
export type { GateReport } from './training/inspection/gates.js';
export { type BatchLoss, type Inspection, type InspectOptions, inspect } from './training/inspection/inspect.js';
export type { Histogram, LayerReport, ParameterNorms } from './training/inspection/layer-record.js';
export type { Learner, LearnerRecord } from './training/learner.js';
export {
  binaryCrossEntropy,
  type CrossEntropyOptions,
  crossEntropy,
  type ElementwiseLossOptions,
  type HuberOptions,
  huber,
  type LossOptions,
  meanSquaredError,
  type Reduction,
} from './training/losses.js';
export {
  type ClassScore,
  type ClassScores,
  classScores,
  type ValueScores,
  valueScores,
} from './training/metrics.js';
export { Optimizer } from './training/optimizer.js';
export { PerceptronTrainer } from './training/perceptron-trainer.js';
export { learningRate, type ScheduleName, type ScheduleOptions, scheduleNames } from './training/schedules.js';
export { type TrainOptions, train } from './training/train.js';
export { batchLoss, type StepRecord, Trainer, type TrainerOptions } from './training/trainer.js';
export type { UpdateRule } from './training/update-rule.js';
export {
  type AdagradOptions,
  type AdamOptions,
  adagrad,
  adam,
  adamw,
  type LionOptions,
  lion,
  type OptimizerName,
  type RmspropOptions,
  rmsprop,
  type SgdOptions,
  sgd,
} from './training/update-rules.js';
