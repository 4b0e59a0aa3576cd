"""A pytest plugin: scikit-learn's SGD classes are replaced by fallline's before its tests of them are read."""

from sklearn import linear_model

import fallline

linear_model.SGDClassifier = fallline.SGDClassifier
linear_model.SGDRegressor = fallline.SGDRegressor
